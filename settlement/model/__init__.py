"""The nouns of settlement: intervals, registers, production lots, trades, quota policies and statements. Pure."""
