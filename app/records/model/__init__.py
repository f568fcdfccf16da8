"""Tables, call state, ids and receipts."""
