"""The nouns: assets, accounts, participants, transactions, journal, outcome. Pure data, no decisions."""
