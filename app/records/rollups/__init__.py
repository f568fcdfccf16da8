"""Counts of past hours and days."""
