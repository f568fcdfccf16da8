"""Ours and its peers side by side: `make bench`."""
