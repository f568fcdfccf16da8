"""What Plivo asks us and tells us."""
