"""Tables, state of a call, ids and receipts."""
