"""Filters and queries for reports."""
