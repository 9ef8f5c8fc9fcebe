"""Production reports: signed by the pool, in the columns of the official form, one lot for each row.

A report is taken whole or not at all; the refusal names the first row at fault. A row whose licence was not active in
the moment of distribution is taken, for the coins exist, but its lot is unlicensed and gives no credit.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.state import View
from settlement.model.intervals import was_active
from settlement.model.local_time import local_date
from settlement.model.production import ROWS_PER_REPORT_MAX, LotState, NumberField, ProductionLot, ProductionRow
from settlement.model.registers import Licence, Pool
from settlement.rules.coins import COIN_UNKNOWN
from settlement.rules.miners import MINER_UNKNOWN
from settlement.rules.tables import COINS, LICENCES, LOTS, MINERS, PAYOUTS, POOLS, REPORTS


class ProductionReport(Record, frozen=True, kw_only=True):
    """What a pool distributed among miners."""

    sequence: NumberField
    """One more than the pool's last report; the first is 1."""
    rows: Annotated[tuple[ProductionRow, ...], Meta(min_length=1, max_length=ROWS_PER_REPORT_MAX)]


REPORT_OUT_OF_ORDER = RefusalCode("report_out_of_order", "The number is not one more than the pool's last report.")
ROW_REPEATED = RefusalCode("row_repeated", "Two rows carry the same number.")
PAYOUT_REPEATED = RefusalCode("payout_repeated", "The payout stands in another row or was reported before.")
DISTRIBUTION_IN_FUTURE = RefusalCode("distribution_in_future", "The distribution lies after the ledger's time.")
POOL_NOT_ACCREDITED = RefusalCode(
    "pool_not_accredited", "The pool was not accredited in the moment of the distribution."
)
MINER_IDENTITY_DIFFERS = RefusalCode(
    "miner_identity_differs", "BIN or IIN of the row is not of the kind or number the miner is registered with."
)
LICENCE_UNKNOWN = RefusalCode("licence_unknown", "No licence of this number is registered.")
LICENCE_OF_OTHER_MINER = RefusalCode("licence_of_other_miner", "The licence is another miner's.")
LICENCE_DATE_DIFFERS = RefusalCode("licence_date_differs", "The licence was issued on another date.")

ROW_REFUSALS: Final = (
    ROW_REPEATED,
    PAYOUT_REPEATED,
    DISTRIBUTION_IN_FUTURE,
    POOL_NOT_ACCREDITED,
    MINER_UNKNOWN,
    MINER_IDENTITY_DIFFERS,
    COIN_UNKNOWN,
    LICENCE_UNKNOWN,
    LICENCE_OF_OTHER_MINER,
    LICENCE_DATE_DIFFERS,
)
"""What may refuse a row, in order."""


def _report(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ProductionReport = submitted.signed.body
    pool_id = submitted.signed.transaction.participant
    last = view.get(REPORTS, pool_id) or 0
    if body.sequence != last + 1:
        return Refused(REPORT_OUT_OF_ORDER, detail=f"expected report {last + 1}, got {body.sequence}")
    if refused := refuse_repeated(view, body.rows):
        return refused
    if refused := refuse_rows(view, submitted, body.rows):
        return refused
    # From here every row becomes a lot.
    lots = [(f"{pool_id}/{body.sequence}/{row.row}", lot_of(view, row)) for row in body.rows]
    return Proposal(
        changes=(
            (REPORTS, pool_id, body.sequence),
            *((LOTS, key, lot) for key, lot in lots),
            *((PAYOUTS, row.payout, key) for row, (key, _) in zip(body.rows, lots, strict=True)),
        ),
        record={
            "lots": len(lots),
            "unlicensed": [
                row.row for row, (_, lot) in zip(body.rows, lots, strict=True) if lot.state is LotState.UNLICENSED
            ],
        },
    )


def refuse_repeated(view: View, rows: Sequence[ProductionRow], freed: frozenset[str] = frozenset()) -> Refused | None:
    """Refuse a row number or payout that stands twice, or a payout that another lot rests on.

    Args:
        view: the state.
        rows: of one report or correction.
        freed: keys of the lots whose payouts may be used again, for they are taken back now.
    """
    numbers: set[int] = set()
    payouts: set[str] = set()
    for line, row in enumerate(rows):
        if row.row in numbers:
            return Refused(ROW_REPEATED, line, f"row {row.row} stands twice")
        numbers.add(row.row)
    for line, row in enumerate(rows):
        if row.payout in payouts or _is_taken(view, row.payout, freed):
            return Refused(PAYOUT_REPEATED, line, f"row {row.row}: payout {row.payout}")
        payouts.add(row.payout)
    return None


def _is_taken(view: View, payout: str, freed: frozenset[str]) -> bool:
    """Whether a lot that stands rests on a payout."""
    key = view.get(PAYOUTS, payout)
    if key is None or key in freed:
        return False
    lot = view.get(LOTS, key)
    assert lot is not None, "the payout was written with the lot"
    return lot.state is not LotState.CORRECTED


def refuse_rows(view: View, submitted: Submitted, rows: Sequence[ProductionRow]) -> Refused | None:
    """Refuse rows that the registers contradict, the first one at fault."""
    pool = view.get(POOLS, submitted.signed.transaction.participant)
    for line, row in enumerate(rows):
        refused = _refuse_row(view, submitted, pool, row, line)
        if refused is not None:
            return refused
    return None


def _refuse_row(view: View, submitted: Submitted, pool: Pool | None, row: ProductionRow, line: int) -> Refused | None:
    if row.distributed_us > submitted.time_us:
        return Refused(DISTRIBUTION_IN_FUTURE, line, f"row {row.row}: {row.distributed_us}, now {submitted.time_us}")
    if pool is None or not was_active(pool.history, row.distributed_us):
        return Refused(POOL_NOT_ACCREDITED, line, f"row {row.row}: no accreditation at {row.distributed_us}")
    miner = view.get(MINERS, row.miner)
    if miner is None:
        return Refused(MINER_UNKNOWN, line, f"row {row.row}: miner {row.miner}")
    # Two commitments to one IIN differ in their salts, so of an individual only the kind of number is compared.
    if row.bin != miner.bin or (row.iin is None) != (miner.iin is None):
        return Refused(MINER_IDENTITY_DIFFERS, line, f"row {row.row}: miner {row.miner}")
    if view.get(COINS, row.coin) is None:
        return Refused(COIN_UNKNOWN, line, f"row {row.row}: coin {row.coin}")
    licence = view.get(LICENCES, row.licence)
    if licence is None:
        return Refused(LICENCE_UNKNOWN, line, f"row {row.row}: licence {row.licence}")
    if licence.miner != row.miner:
        return Refused(LICENCE_OF_OTHER_MINER, line, f"row {row.row}: licence {row.licence}")
    if licence.issued != row.licence_date:
        return Refused(LICENCE_DATE_DIFFERS, line, f"row {row.row}: expected {licence.issued}, got {row.licence_date}")
    return None


def lot_of(view: View, row: ProductionRow) -> ProductionLot:
    """Return the lot that a row makes; the row was checked."""
    licence: Licence | None = view.get(LICENCES, row.licence)
    offsets = view.get(UTC_OFFSETS, THE)
    assert licence is not None, "the row was checked"
    assert offsets is not None, "genesis writes the offsets"
    is_licensed = was_active(licence.history, row.distributed_us)
    return ProductionLot(
        miner=row.miner,
        coin=row.coin,
        quantity=row.quantity,
        distributed_us=row.distributed_us,
        distributed_on=local_date(offsets, row.distributed_us),
        licence=row.licence,
        subtype=licence.subtype,
        receipt_value=row.receipt_value,
        state=LotState.OPEN if is_licensed else LotState.UNLICENSED,
    )


def _row_count(body: ProductionReport) -> int:
    return len(body.rows)


MODULE = RuleModule(
    name="production",
    meaning="What pools report, and the lots that follow.",
    tables=(REPORTS, LOTS, PAYOUTS),
    kinds=(
        Kind(
            name="production_report",
            body=ProductionReport,
            meaning="Report what a pool distributed among miners.",
            refusals=(
                REPORT_OUT_OF_ORDER,
                *ROW_REFUSALS,
            ),
            decide=_report,
            weight=_row_count,
        ),
    ),
)
