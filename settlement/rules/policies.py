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
    # A whole register, and what changes a published price or a signed report, take the sender's quorum.
    "registry_load": Policy(roles=(Role.SUPERVISOR,), own=0),
    "working_days_set": _SUPERVISOR,
    "price_publish": _SUPERVISOR,
    "price_correct": Policy(roles=(Role.SUPERVISOR,), own=0),
    "production_correct": Policy(roles=(Role.POOL,), own=0),
    "reconciliation_require": _SUPERVISOR,
    "client_accounts_list": _EXCHANGE,
    "reconciliation_cut": _EXCHANGE,
    # Maker and checker: two people of the exchange, whatever its quorum.
    "reconcile_day": Policy(roles=(Role.EXCHANGE,), own=2),
    "liabilities_publish": Policy(roles=(Role.EXCHANGE,), own=2),
    "registry_utility": _SUPERVISOR,
    # Two signatories say where money goes, and what is owed.
    "registry_payee": Policy(roles=(Role.SUPERVISOR,), own=2),
    "levy_regimes_set": Policy(roles=(Role.SUPERVISOR,), own=2),
    "surplus_publish": Policy(roles=(Role.UTILITY,), own=1),
    # Who keeps the account that pays sends these; the kind asks for the miner's signature besides.
    "surplus_buy": Policy(roles=(Role.MINER, Role.INTERMEDIARY), own=1),
    "levy_pay": Policy(roles=(Role.MINER, Role.INTERMEDIARY), own=1),
    "meter_reading": Policy(roles=(Role.MINER,), own=1, cosigners=(Cosigner(role=Role.UTILITY, threshold=1),)),
    # The ministry sets the rate with the central bank's signature; what makes a sale suspect, with two of its own.
    "quota_policy_set": Policy(roles=(Role.SUPERVISOR,), own=1, cosigners=(Cosigner(role=Role.ISSUER, threshold=1),)),
    "flag_policy_set": Policy(roles=(Role.SUPERVISOR,), own=2),
    "claim_flag": Policy(roles=(Role.SUPERVISOR, Role.OPERATOR), own=1),
    "claim_decide": Policy(roles=(Role.SUPERVISOR,), own=2),
    "sale_attest": _EXCHANGE,
    "quota_statement_publish": _SUPERVISOR,
    "price_band_set": _SUPERVISOR,
    "cut_off_set": _EXCHANGE,
    "venue_run_off": _SUPERVISOR,
    "tax_account_confirm": Policy(roles=(Role.SUPERVISOR,), own=2),
    "dvp_instruct": _EXCHANGE,
    "dvp_allocate": _EXCHANGE,
    "dvp_complete": _EXCHANGE,
    "dvp_batch": _EXCHANGE,
    # The kind asks for both holders, or for the supervisor whose order it is.
    "dvp_cancel": _EXCHANGE,
    "dvp_reverse": _EXCHANGE,
    # What nobody settled in time is released by anybody, the exchange not asked.
    "dvp_release": Policy(roles=tuple(Role), own=1),
    # Who watches what is said by two: the kind asks for the quorum of the central bank as well.
    "authority_register": Policy(roles=(Role.OPERATOR,), own=0),
    "tariff_notice_set": _SUPERVISOR,
    # Neither the exchange nor the holder signs, so two people of the authority do.
    "court_order_debit": Policy(roles=(Role.SUPERVISOR,), own=2),
    "winddown_open": Policy(roles=(Role.SUPERVISOR,), own=2),
    "winddown_close": Policy(roles=(Role.SUPERVISOR,), own=2),
    # The kind lets nobody through but the administrator; the receiving bank signs too.
    "winddown_unwind": Policy(roles=(Role.SUPERVISOR, Role.AUDITOR), own=2),
    "winddown_pay": Policy(roles=(Role.SUPERVISOR, Role.AUDITOR), own=2),
}
"""A supervisor stands for the ministry and for AFSA, who keep the registers."""
