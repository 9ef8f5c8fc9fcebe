"""Projections of the blocks for statements and look-ups: a database of their own, made by replay, never in the way."""
