"""What ours is compared with: each a few lines, as people write them."""
