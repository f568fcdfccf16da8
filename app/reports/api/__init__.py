"""The API for programs: its models, its routes and its description."""
