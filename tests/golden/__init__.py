"""A log that must replay unchanged in every later release (design D25)."""
