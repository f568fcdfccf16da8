"""Events for others: what is sent, and when."""
