"""The whole rulebook against a model written apart from it."""
