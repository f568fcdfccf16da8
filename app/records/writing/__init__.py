"""The journal, the fold and the derived values."""
