"""Corrections of production reports: a pool takes rows of its own report back, and says what stands in their place.

The lot of a row that is taken back stays on record as corrected and gives no credit. A row in its place makes a lot of
its own, checked like any other, and counts from its own date of distribution: statements that are made afterwards are
restated from there. A payout that no standing lot rests on any more may be reported again; each is still counted once.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import View
from ledger.units import OrderField, ParticipantId
from settlement.model.production import ROWS_PER_REPORT_MAX, LotState, NumberField, ProductionLot, ProductionRow
from settlement.rules.production import ROW_REFUSALS, lot_of, refuse_repeated, refuse_rows
from settlement.rules.tables import CORRECTIONS, LOT_VERSIONS, LOTS, PAYOUTS

VERSIONS_MAX: Final = 16
"""Most versions of one row: each correction is an exception, and the chain of them stays short."""


class ProductionCorrect(Record, frozen=True, kw_only=True):
    """Take rows of an earlier report of the sender back, with or without others in their place."""

    sequence: NumberField
    """One more than the pool's last correction; the first is 1."""
    report: NumberField
    """Number of the report."""
    rows: Annotated[tuple[ProductionRow, ...], Meta(max_length=ROWS_PER_REPORT_MAX)] = ()
    """Whole rows in place of those of the same number."""
    withdrawn: Annotated[tuple[NumberField, ...], Meta(max_length=ROWS_PER_REPORT_MAX)] = ()
    """Numbers of rows in whose place nothing stands."""
    reason: OrderField


CORRECTION_OUT_OF_ORDER = RefusalCode(
    "correction_out_of_order", "The number is not one more than the pool's last correction."
)
CORRECTION_EMPTY = RefusalCode("correction_empty", "The correction names no row.")
ROW_CORRECTED_TWICE = RefusalCode("row_corrected_twice", "The correction takes one row back twice.")
ROW_UNREPORTED = RefusalCode(
    "row_unreported", "The pool reported no row of this number in this report, or has withdrawn it."
)
ROW_VERSIONS_TOO_MANY = RefusalCode("row_versions_too_many", "The row was corrected as often as it may be.")


def standing_key(view: View, base: str) -> str:
    """Return the key of the lot that stands, or stood last, for a row ``<pool>/<report>/<row>``."""
    version = view.get(LOT_VERSIONS, base)
    return base if version is None else f"{base}/{version}"


def _correct(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ProductionCorrect = submitted.signed.body
    pool = submitted.signed.transaction.participant
    last = view.get(CORRECTIONS, pool) or 0
    if body.sequence != last + 1:
        return Refused(CORRECTION_OUT_OF_ORDER, detail=f"expected correction {last + 1}, got {body.sequence}")
    replaced = _replaced(view, pool, body)
    if isinstance(replaced, Refused):
        return replaced
    freed = frozenset(key for key, _ in replaced.values())
    refused = refuse_repeated(view, body.rows, freed) or refuse_rows(view, submitted, body.rows)
    if refused is not None:
        return refused
    # From here every row is taken back, and each new one becomes a lot.
    return _proposal(view, pool, body, replaced)


def _replaced(
    view: View, pool: ParticipantId, body: ProductionCorrect
) -> Mapping[int, tuple[str, ProductionLot]] | Refused:
    """The lots that are taken back by row number, each with its key."""
    numbers = (*(row.row for row in body.rows), *body.withdrawn)
    if not numbers:
        return Refused(CORRECTION_EMPTY, detail="expected a row, or the number of one")
    replaced: dict[int, tuple[str, ProductionLot]] = {}
    for line, number in enumerate(numbers):
        if number in replaced:
            return Refused(ROW_CORRECTED_TWICE, line, f"row {number}")
        base = f"{pool}/{body.report}/{number}"
        key = standing_key(view, base)
        lot = view.get(LOTS, key)
        if lot is None or lot.state is LotState.CORRECTED:
            return Refused(ROW_UNREPORTED, line, f"row {number} of report {body.report}")
        if view.get(LOT_VERSIONS, base) == VERSIONS_MAX:
            return Refused(ROW_VERSIONS_TOO_MANY, line, f"row {number} has {VERSIONS_MAX} versions")
        replaced[number] = key, lot
    return replaced


def _proposal(
    view: View, pool: ParticipantId, body: ProductionCorrect, replaced: Mapping[int, tuple[str, ProductionLot]]
) -> Proposal:
    withdrawn = set(body.withdrawn)
    taken_back = {key: lot for number, (key, lot) in replaced.items() if number in withdrawn}
    changes = [(LOTS, key, msgspec.structs.replace(lot, state=LotState.CORRECTED)) for key, lot in taken_back.items()]
    versions = []
    payouts = []
    unlicensed = []
    for row in body.rows:
        old_key, old = replaced[row.row]
        base = f"{pool}/{body.report}/{row.row}"
        version = (view.get(LOT_VERSIONS, base) or 1) + 1
        key = f"{base}/{version}"
        lot = msgspec.structs.replace(lot_of(view, row), supersedes=old_key)
        changes.append((LOTS, old_key, msgspec.structs.replace(old, state=LotState.CORRECTED, superseded_by=key)))
        changes.append((LOTS, key, lot))
        versions.append((LOT_VERSIONS, base, version))
        payouts.append((PAYOUTS, row.payout, key))
        if lot.state is LotState.UNLICENSED:
            unlicensed.append(row.row)
    return Proposal(
        changes=((CORRECTIONS, pool, body.sequence), *changes, *versions, *payouts),
        record={"lots": len(body.rows), "unlicensed": unlicensed, "withdrawn": len(body.withdrawn)},
    )


def _row_count(body: ProductionCorrect) -> int:
    return max(1, len(body.rows) + len(body.withdrawn))


MODULE = RuleModule(
    name="corrections",
    meaning="Corrections of production reports, which supersede.",
    tables=(CORRECTIONS, LOT_VERSIONS),
    kinds=(
        Kind(
            name="production_correct",
            body=ProductionCorrect,
            meaning="Take rows of an earlier report back, with others in their place.",
            refusals=(
                CORRECTION_OUT_OF_ORDER,
                CORRECTION_EMPTY,
                ROW_CORRECTED_TWICE,
                ROW_UNREPORTED,
                ROW_VERSIONS_TOO_MANY,
                *ROW_REFUSALS,
            ),
            decide=_correct,
            weight=_row_count,
        ),
    ),
)
