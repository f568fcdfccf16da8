"""Reports: what people and programs read about the calls."""
