"""Tests of order, durability and proof."""
