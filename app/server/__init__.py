"""How a process serves: worker, start, stop and background jobs."""
