"""Tests of the views: on real blocks, in both databases."""
