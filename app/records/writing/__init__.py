"""The journal, the fold and what is derived from it."""
