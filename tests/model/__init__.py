"""The nouns: accounts, transactions, genesis, state and its window."""
