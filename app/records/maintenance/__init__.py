"""Check, backup, prune and retention."""
