"""Who must be called back, and whether they were; the messages that callers left."""
