"""How a process serves: the ASGI adapter, start and stop of the background jobs, what is printed at start."""
