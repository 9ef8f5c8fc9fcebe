"""Who may send what in a new network, unless its genesis document says otherwise.

These are the kinds of the money itself; settlement brings the defaults of its own. Genesis copies them into the first
state; afterwards only the issuer's quorum changes them (``policy_set``).
"""

from collections.abc import Mapping
from typing import Final

from ledger.model.participants import Cosigner, Policy, Role

ISSUERS: Final = Cosigner(role=Role.ISSUER, threshold=2)
"""Two of the central bank's signatories, beside the bank that asks (design D15)."""

_ANYONE: Final = tuple(Role)
_KEEPERS: Final = (Role.INTERMEDIARY, Role.EXCHANGE, Role.MINER, Role.POOL)
"""Those who keep accounts, if only their own."""

CORE_POLICIES: Final[Mapping[str, Policy]] = {
    "participant_admit": Policy(roles=(Role.OPERATOR,), own=0),
    "participant_suspend": Policy(roles=(Role.OPERATOR,), own=0),
    "participant_reinstate": Policy(roles=(Role.OPERATOR,), own=0),
    "key_add": Policy(roles=_ANYONE, own=0),
    "key_rotate": Policy(roles=_ANYONE, own=0),
    "key_revoke": Policy(roles=_ANYONE, own=0),
    "key_recover": Policy(roles=(Role.OPERATOR,), own=0),
    "log_key_rotate": Policy(roles=(Role.OPERATOR,), own=0),
    "policy_set": Policy(roles=(Role.ISSUER,), own=0),
    "cap_set": Policy(roles=(Role.ISSUER,), own=0),
    "rulebook_set": Policy(roles=(Role.ISSUER,), own=0),
    "account_open": Policy(roles=_KEEPERS, own=1),
    "account_freeze": Policy(roles=(Role.INTERMEDIARY, Role.EXCHANGE, Role.SUPERVISOR), own=1),
    "account_unfreeze": Policy(roles=(Role.INTERMEDIARY, Role.EXCHANGE, Role.SUPERVISOR), own=1),
    "account_close": Policy(roles=(Role.INTERMEDIARY, Role.EXCHANGE), own=1),
    "issue": Policy(roles=(Role.INTERMEDIARY,), own=1, cosigners=(ISSUERS,)),
    "redeem": Policy(roles=(Role.INTERMEDIARY,), own=1, cosigners=(ISSUERS,)),
    "transfer": Policy(roles=_KEEPERS, own=1),
    "journal_entry": Policy(roles=(Role.INTERMEDIARY, Role.EXCHANGE), own=1),
    "bulk_transfer": Policy(roles=(Role.INTERMEDIARY, Role.EXCHANGE), own=1),
    "day_close": Policy(roles=(Role.OPERATOR,), own=1),
}
"""By kind. ``own=0`` asks for the sender's whole quorum."""
