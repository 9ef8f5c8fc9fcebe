"""What settlement answers to those who ask: statements, and the package's own data."""
