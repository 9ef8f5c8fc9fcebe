"""Tests of the sandbox and the pilot day."""
