"""The modules of the money itself, in the order of the rulebook."""

from typing import Final

from ledger.rules import accounts, admission, day_close, issuance, keys, policy, transfers

CORE_MODULES: Final = (
    admission.MODULE,
    keys.MODULE,
    policy.MODULE,
    accounts.MODULE,
    issuance.MODULE,
    transfers.MODULE,
    day_close.MODULE,
)
"""A capability more is a line more."""
