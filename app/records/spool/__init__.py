"""Local disk while the store is away."""
