"""The benchmark: the ledger against a textbook one on the same machine in the same run, each figure with its spread."""
