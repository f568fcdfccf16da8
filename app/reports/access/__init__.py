"""Who may read the reports: tokens, sessions, and what browsers are told."""
