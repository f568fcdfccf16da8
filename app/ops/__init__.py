"""What whoever runs the server needs: logs, health, metrics."""
