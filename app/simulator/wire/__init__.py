"""How requests reach the server: signed, retried, limited in time, and broken where a fault asks for it."""
