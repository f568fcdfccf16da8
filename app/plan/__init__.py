"""The dial plan: who rings, then who, and what the caller hears at the end. Pure."""
