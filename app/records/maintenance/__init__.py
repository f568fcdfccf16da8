"""Check, backup, prune."""
