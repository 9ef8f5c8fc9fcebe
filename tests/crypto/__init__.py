"""Tests of `ledger.crypto`: published vectors, independent oracles and properties."""
