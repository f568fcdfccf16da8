"""The spool: local disk while the store is away."""
