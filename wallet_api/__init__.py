"""The door: the HTTP interface of the ledger and what stands around it.

Nothing is decided here. A route limits, authenticates, calls and translates; the rules are `ledger.rules` and
`settlement.rules`, the order is `ledger.log`.
"""
