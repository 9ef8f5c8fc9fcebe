"""Payment of the digital-mining levy to the treasury, in tenge, and the table of rates as data of the ledger.

A quarter may be paid in parts, before it is over or after; each payment is put on record with what the readings on
the ledger come to at that moment, and with what is then outstanding or overpaid. What is overpaid is shown and not set
against another quarter. Who pays from where is told in ``settlement.rules.paying``.

The table starts with what is known today. A supervisor replaces it as a whole, two signatories together, once somebody
has read the act; what was recorded before stays as it was computed then.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.posting import BALANCE_TOO_LARGE
from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.rules.transfers import ACCOUNTS_MUST_DIFFER
from ledger.state import View
from ledger.units import BALANCE_MAX, AccountField, AmountField, BusinessDate, ParticipantField, ParticipantId
from settlement.levy import levy_statement
from settlement.model.energy import PayeePurpose
from settlement.model.levy_regimes import LEVY_REGIMES as FIRST_REGIMES
from settlement.model.levy_regimes import LevyRegime, LevyRegimes, regime_of, unclear
from settlement.model.levy_statement import LevyLine, LevyPaid, LevyStatement
from settlement.model.local_time import calendar_date, local_date
from settlement.model.quarters import QuarterField, quarter_of
from settlement.rules.miners import MINER_UNKNOWN
from settlement.rules.paying import holder_of_payer, miner_signs, tenge_entry
from settlement.rules.tables import ENERGY, LEVY_PAID, LEVY_REGIMES, MINERS
from settlement.rules.utilities import is_payee
from settlement.rules.working_days import is_working_day


class LevyRegimesSet(Record, frozen=True, kw_only=True):
    """Replace the table of rates as a whole."""

    regimes: LevyRegimes


class LevyPay(Record, frozen=True, kw_only=True):
    """Pay levy of a quarter, all of it or a part."""

    miner: ParticipantField
    quarter: QuarterField
    payer: AccountField
    """The miner's own account, or a wallet at its bank, which then sends this."""
    treasury: AccountField
    """A registered account of the treasury."""
    amount: AmountField
    """Tiyn."""


LEVY_REGIMES_UNCLEAR = RefusalCode(
    "levy_regimes_unclear", "The table does not say one thing for every quarter, or a date does not exist."
)
LEVY_QUARTER_AHEAD = RefusalCode("levy_quarter_ahead", "The quarter has not begun.", is_transient=True)
LEVY_NOT_IN_FORCE = RefusalCode("levy_not_in_force", "No levy was in force in the quarter.")
TREASURY_ACCOUNT_UNFIT = RefusalCode(
    "treasury_account_unfit", "The account is not registered as the treasury's, or no longer.", iso="AG01"
)


def regimes(view: View) -> Sequence[LevyRegime]:
    """Return the table of rates that is in force."""
    return view.get(LEVY_REGIMES, THE) or FIRST_REGIMES


def levy_of(view: View, miner: ParticipantId, quarter: QuarterField) -> LevyStatement:
    """Return what a miner owes for a quarter and what it paid, by what the ledger holds now."""
    return _statement(view, miner, quarter, view.get(LEVY_PAID, f"{miner}/{quarter}"))


def _statement(view: View, miner: ParticipantId, quarter: QuarterField, paid: LevyPaid | None) -> LevyStatement:
    return levy_statement(
        regimes(view),
        partial(is_working_day, view),
        view.get(ENERGY, f"{miner}/{quarter}") or (),
        paid,
        miner=miner,
        quarter=quarter,
    )


def _set(_view: View, submitted: Submitted) -> Proposal | Refused:
    body: LevyRegimesSet = submitted.signed.body
    dates = (date for regime in body.regimes for date in (regime.valid_from, regime.valid_until) if date is not None)
    fault = next((f"no date {date}" for date in dates if calendar_date(date) is None), None) or unclear(body.regimes)
    if fault is not None:
        return Refused(LEVY_REGIMES_UNCLEAR, detail=fault)
    return Proposal(changes=((LEVY_REGIMES, THE, body.regimes),), record={})


def _pay(view: View, submitted: Submitted) -> Proposal | Refused:
    body: LevyPay = submitted.signed.body
    if view.get(MINERS, body.miner) is None:
        return Refused(MINER_UNKNOWN, detail=f"miner {body.miner}")
    if body.quarter > quarter_of(_today(view, submitted)):
        return Refused(LEVY_QUARTER_AHEAD, detail=f"quarter {body.quarter}")
    if regime_of(regimes(view), body.quarter) is None:
        return Refused(LEVY_NOT_IN_FORCE, detail=f"quarter {body.quarter}")
    if not is_payee(view, body.treasury, PayeePurpose.TREASURY):
        return Refused(TREASURY_ACCOUNT_UNFIT, detail=f"account {body.treasury}")
    if body.payer == body.treasury:
        return Refused(ACCOUNTS_MUST_DIFFER, detail=f"account {body.payer}")
    key = f"{body.miner}/{body.quarter}"
    earlier = view.get(LEVY_PAID, key) or LevyPaid(amount=0, payments=0)
    paid = LevyPaid(amount=earlier.amount + body.amount, payments=earlier.payments + 1)
    if paid.amount > BALANCE_MAX:
        # What one pays round and round may come to more than there is.
        return Refused(BALANCE_TOO_LARGE, detail=f"{earlier.amount} tiyn were paid for {body.quarter}")
    # From here the levy is paid, if the money is there.
    return Proposal(
        entries=(tenge_entry(body.payer, body.treasury, body.amount),),
        changes=((LEVY_PAID, key, paid),),
        record=_on_record(_statement(view, body.miner, body.quarter, paid)),
    )


def _today(view: View, submitted: Submitted) -> BusinessDate:
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    return local_date(offsets, submitted.time_us)


def _on_record(statement: LevyStatement) -> dict[str, Any]:
    """The statement as its leaf shows it; everything that is not in it follows from the readings."""
    assert statement.legal_status is not None, "a quarter without a regime was refused"
    return {
        "quarter": statement.quarter,
        "energy_kwh": statement.energy_kwh,
        "lines": [_line(line) for line in statement.lines],
        "levy": statement.levy,
        "paid": statement.paid,
        "outstanding": statement.outstanding,
        "overpaid": statement.overpaid,
        "regime": statement.regime,
        "legal_source": statement.legal_source,
        "legal_status": statement.legal_status.value,
        "basis_note": statement.basis_note,
        "has_unverified_rate": statement.has_unverified_rate,
    }


def _line(line: LevyLine) -> dict[str, Any]:
    content: dict[str, Any] = {
        "sources": [source.value for source in line.sources],
        "is_unmetered": line.is_unmetered,
        "energy_kwh": line.energy_kwh,
        "rate": line.rate,
        "amount": line.amount,
    }
    return content if line.note is None else content | {"note": line.note}


MODULE = RuleModule(
    name="levy",
    meaning="The digital-mining levy: its rates, and its payment to the treasury.",
    tables=(LEVY_REGIMES, LEVY_PAID),
    kinds=(
        Kind(
            name="levy_regimes_set",
            body=LevyRegimesSet,
            meaning="Replace the table of rates of the levy.",
            refusals=(LEVY_REGIMES_UNCLEAR,),
            decide=_set,
        ),
        Kind(
            name="levy_pay",
            body=LevyPay,
            meaning="Pay levy of a quarter to the treasury.",
            refusals=(
                MINER_UNKNOWN,
                LEVY_QUARTER_AHEAD,
                LEVY_NOT_IN_FORCE,
                TREASURY_ACCOUNT_UNFIT,
                ACCOUNTS_MUST_DIFFER,
            ),
            decide=_pay,
            required_keys=holder_of_payer,
            cosigners=miner_signs,
        ),
    ),
)
