"""Tests of the wire format page: vectors, recomputed from its words alone."""
