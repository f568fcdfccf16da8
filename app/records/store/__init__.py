"""Engines, statements and migrations."""
