"""Plivo's side of a call: who rings, who answers, which requests follow, and with which values."""
