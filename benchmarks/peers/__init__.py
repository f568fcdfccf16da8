"""The peers: each a few lines, as people write them."""
