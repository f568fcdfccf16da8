"""How Plivo reads XML: the grammar, the parser, and what is reported about a wrong reply."""
