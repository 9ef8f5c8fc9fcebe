"""Tests of the door: a real sequencer, a real SQLite, real projections, behind the application."""
