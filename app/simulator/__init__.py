"""A local Plivo, to try everything without a phone."""
