"""The verbs: one file a capability, composed by the rulebook. Pure: no clock, disk, network or randomness."""
