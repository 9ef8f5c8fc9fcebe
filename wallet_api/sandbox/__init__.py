"""Whole networks for trying things: genesis, keys, participants, and a pilot day to watch."""
