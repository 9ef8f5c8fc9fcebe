"""Tests of the client against real nodes, honest and lying."""
