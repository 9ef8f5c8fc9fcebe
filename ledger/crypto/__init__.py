"""Bytes in, bytes out: canonical form, digests, keys, signatures, Merkle proofs and signed notes.

Nothing in this package reads a clock, a disk or a network, and nothing in it has heard of an account.
Key generation is the one place that draws randomness, from the operating system.
"""
