"""What operators need: logs, health, metrics."""
