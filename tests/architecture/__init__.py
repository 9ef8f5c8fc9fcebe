"""Style and documentation as tests: what a reviewer should not have to remember."""
