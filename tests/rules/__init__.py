"""Every rule, every code, at its place in the order."""
