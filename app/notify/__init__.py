"""Events for other systems: what is sent, and how."""
