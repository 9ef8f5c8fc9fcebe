"""The tests of the ledger, laid out as the packages they test."""
