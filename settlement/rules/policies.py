"""Who may send which kind of settlement, as a genesis document may start with it."""

from collections.abc import Mapping
from typing import Final

from ledger.model.participants import Cosigner, Policy, Role

_SUPERVISOR: Final = Policy(roles=(Role.SUPERVISOR,), own=1)
_EXCHANGE: Final = Policy(roles=(Role.EXCHANGE,), own=1)

SETTLEMENT_POLICIES: Final[Mapping[str, Policy]] = {
    "registry_exchange": _SUPERVISOR,
    "registry_pool": _SUPERVISOR,
    "registry_status": _SUPERVISOR,
    "registry_miner": _SUPERVISOR,
    "registry_licence": _SUPERVISOR,
    "registry_coin": _SUPERVISOR,
    "miner_account_confirm": Policy(roles=(Role.MINER,), own=1),
    "coin_admit": Policy(roles=(Role.EXCHANGE,), own=1, cosigners=(Cosigner(role=Role.SUPERVISOR, threshold=1),)),
    "production_report": Policy(roles=(Role.POOL,), own=1),
    # An auditor that sends it signs once, as sender and as auditor: bad news needs nobody's leave.
    "reserve_attest": Policy(
        roles=(Role.EXCHANGE, Role.AUDITOR), own=1, cosigners=(Cosigner(role=Role.AUDITOR, threshold=1),)
    ),
    "custody_credit": _EXCHANGE,
    "custody_debit": _EXCHANGE,
    "tariff_set": Policy(roles=(Role.EXCHANGE,), own=0),
    "dvp_settle": _EXCHANGE,
    # The holder's key alone suffices, this aside; the exchange may sign too, and never without that key.
    "mandate_cancel": _EXCHANGE,
    "client_return": _EXCHANGE,
}
"""A supervisor stands for the ministry and for AFSA, who keep the registers."""
