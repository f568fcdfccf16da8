"""DialFilters and queries for reports."""
