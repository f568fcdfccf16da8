"""What is kept about calls, and how it is written."""
