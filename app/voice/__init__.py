"""Plivo's language: pure, without Flask, SQLAlchemy or network."""
