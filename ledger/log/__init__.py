"""Order, durability, proof: the shell around the pure rules."""
