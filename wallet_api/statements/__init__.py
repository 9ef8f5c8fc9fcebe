"""Statements for people: one document of facts and tables, written as CSV or as a page to print."""
