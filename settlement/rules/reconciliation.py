"""Reconciliation: each business day an exchange shows that its books, the ledger and the attested coins agree.

A cut writes down what the ledger shows at one place of the order: of the tenge, the sum over the listed accounts; of a
coin, all of it that circulates, since none can be on the exchange's own accounts. Two people of the exchange then sign
its books as of that cut, as maker and checker. What is broken is made good by paying into a client account from the
house, or by a better attestation, and shown by a new cut and a new reconciliation.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final

from msgspec import Meta

from ledger.model.assets import TENGE
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Role
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ASSETS, BALANCES, PARTICIPANTS
from ledger.state import View
from ledger.units import (
    AssetField,
    AssetId,
    BusinessDate,
    DateField,
    ParticipantField,
    ParticipantId,
    TimestampUs,
)
from settlement.model.reconciliation import (
    ASSETS_PER_CUT_MAX,
    CUTS_PER_DAY_MAX,
    AssetBooks,
    Cut,
    Reconciliation,
    Requirement,
    Result,
    backing_of,
    breaks_of,
    unexplained,
)
from settlement.rules.custody import AUDITOR_RELATED, COIN_NOT_ADMITTED
from settlement.rules.parties import related
from settlement.rules.reconciliation_order import (
    RECONCILIATION_NOT_REQUIRED,
    asset_key,
    client_tenge,
    missed_before,
)
from settlement.rules.tables import ATTESTATIONS, CUTS, RECONCILIATIONS, REQUIREMENTS

CUT_WEIGHT: Final = 256
"""Lines of work that a cut counts as, whatever it sums up."""


class ReconciliationCut(Record, frozen=True, kw_only=True):
    """Write down what the ledger shows now; the books are then stated as of this place in the order."""

    assets: Annotated[tuple[AssetField, ...], Meta(min_length=1, max_length=ASSETS_PER_CUT_MAX)]


class ReconcileDay(Record, frozen=True, kw_only=True):
    """Compare the exchange's books with the cut of a business date. Maker and checker sign, an auditor may."""

    date: DateField
    assets: Annotated[tuple[AssetBooks, ...], Meta(min_length=1, max_length=ASSETS_PER_CUT_MAX)]
    auditor: ParticipantField | None = None
    """An auditor that signs too."""


CUT_ASSET_REPEATED = RefusalCode("cut_asset_repeated", "The same asset is named twice.")
CUTS_TOO_MANY = RefusalCode(
    "cuts_too_many", f"An asset is cut at most {CUTS_PER_DAY_MAX} times on a business date.", is_transient=True
)
CUT_DATE_DIFFERS = RefusalCode("cut_date_differs", "The last cut of the asset was not taken on that business date.")
CUT_UNRECONCILED = RefusalCode(
    "cut_unreconciled", "The last cut of the asset is of an earlier business date and was never reconciled."
)
CUT_RECONCILED = RefusalCode("cut_reconciled", "The cut was reconciled before; a correction starts with a new cut.")
AUDITOR_UNFIT = RefusalCode("auditor_unfit", "The cosigner named as auditor was not admitted as one.")


def refuse_auditor(
    view: View, exchange: ParticipantId, auditor: ParticipantId | None, moment: TimestampUs
) -> Refused | None:
    """Refuse a cosigner that is no auditor, or that the register shows as belonging to the exchange at a moment."""
    if auditor is None:
        return None
    participant = view.get(PARTICIPANTS, auditor)
    if participant is None or participant.role is not Role.AUDITOR:
        return Refused(AUDITOR_UNFIT, detail=f"participant {auditor}")
    if relation := related(view, exchange, auditor, moment):
        return Refused(AUDITOR_RELATED, detail=f"participant {auditor}: {relation}")
    return None


def as_cosigner(auditor: ParticipantId | None) -> Iterable[Cosigner]:
    """Ask for a signature of the auditor that a body names."""
    return () if auditor is None else (Cosigner(participant=auditor, threshold=1),)


def _cut(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ReconciliationCut = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    requirement = view.get(REQUIREMENTS, exchange)
    if requirement is None:
        return Refused(RECONCILIATION_NOT_REQUIRED, detail=f"exchange {exchange}")
    if len(set(body.assets)) < len(body.assets):
        return Refused(CUT_ASSET_REPEATED, detail=f"{len(body.assets)} assets, {len(set(body.assets))} different")
    cuts = {}
    for line, asset in enumerate(body.assets):
        cut = _cut_of(view, submitted, requirement, asset)
        if isinstance(cut, Refused):
            return Refused(cut.code, line, cut.detail)
        cuts[asset] = cut
    return Proposal(
        changes=tuple((CUTS, asset_key(exchange, asset), cut) for asset, cut in cuts.items()),
        record={"assets": {asset: _on_record(cut) for asset, cut in cuts.items()}, "date": submitted.business_date},
    )


def _cut_of(view: View, submitted: Submitted, requirement: Requirement, asset_id: AssetId) -> Cut | Refused:
    exchange = submitted.signed.transaction.participant
    asset = view.get(ASSETS, asset_id)
    if asset is None or (asset_id != TENGE and asset.issuer != exchange):
        return Refused(COIN_NOT_ADMITTED, detail=f"asset {asset_id}")
    key = asset_key(exchange, asset_id)
    last, reconciled = view.get(CUTS, key), view.get(RECONCILIATIONS, key)
    is_first = last is None or last.date != submitted.business_date
    # Else a cut that shows what is wrong would be forgotten over night.
    if last is not None and is_first and (reconciled is None or reconciled.cut_us != last.taken_us):
        return Refused(CUT_UNRECONCILED, detail=f"{asset_id}, cut on {last.date}")
    number = 1 if last is None or is_first else last.number + 1
    if number > CUTS_PER_DAY_MAX:
        return Refused(CUTS_TOO_MANY, detail=f"{CUTS_PER_DAY_MAX} cuts of {asset_id} on {submitted.business_date}")
    if asset_id == TENGE:
        ledger, accounts = client_tenge(view, exchange, requirement), requirement.accounts
    else:
        ledger, accounts = view.get(BALANCES, asset.contra) or 0, 0
    attestation = view.get(ATTESTATIONS, asset_id)
    return Cut(
        date=submitted.business_date,
        taken_us=submitted.time_us,
        number=number,
        ledger=ledger,
        accounts=accounts,
        attested=None if attestation is None else attestation.quantity,
        observed_us=None if attestation is None else attestation.observed_us,
    )


def _on_record(cut: Cut) -> dict[str, int]:
    """The numbers of a cut; an auditor's look stands there if there was one."""
    names = ("ledger", "accounts", "attested", "observed_us")
    return {name: value for name in names if (value := getattr(cut, name)) is not None}


def _reconcile(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ReconcileDay = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    requirement = view.get(REQUIREMENTS, exchange)
    if requirement is None:
        return Refused(RECONCILIATION_NOT_REQUIRED, detail=f"exchange {exchange}")
    if refused := refuse_auditor(view, exchange, body.auditor, submitted.time_us):
        return refused
    ids = {books.asset for books in body.assets}
    if len(ids) < len(body.assets):
        return Refused(CUT_ASSET_REPEATED, detail=f"{len(body.assets)} assets, {len(ids)} different")
    results = {}
    for line, books in enumerate(body.assets):
        key = asset_key(exchange, books.asset)
        cut, last = view.get(CUTS, key), view.get(RECONCILIATIONS, key)
        if cut is None or cut.date != body.date:
            detail = f"{key} was never cut" if cut is None else f"{key} was cut on {cut.date}, not on {body.date}"
            return Refused(CUT_DATE_DIFFERS, line, detail)
        if last is not None and last.cut_us == cut.taken_us:
            return Refused(CUT_RECONCILED, line, f"{key}, cut at {cut.taken_us}")
        missed = missed_before(view, requirement, last, body.date)
        results[books.asset] = _compare(submitted, body, books, cut, requirement, missed)
    return Proposal(
        changes=tuple((RECONCILIATIONS, asset_key(exchange, asset), result) for asset, result in results.items()),
        record={"assets": {asset: _verdict(result) for asset, result in results.items()}},
    )


def _compare(
    submitted: Submitted,
    body: ReconcileDay,
    books: AssetBooks,
    cut: Cut,
    requirement: Requirement,
    missed: BusinessDate | None,
) -> Reconciliation:
    is_coin, hours = books.asset != TENGE, requirement.attestation_hours
    breaks = breaks_of(cut, books.books, is_coin=is_coin, attestation_hours=hours)
    return Reconciliation(
        date=body.date,
        cut_us=cut.taken_us,
        result=Result.BROKEN if breaks else Result.BALANCED,
        books=books.books,
        ledger=cut.ledger,
        backing=backing_of(cut, is_coin=is_coin, attestation_hours=hours),
        breaks=breaks,
        unexplained=unexplained(cut, books),
        reconciled_us=submitted.time_us,
        auditor=body.auditor,
        missed=missed,
    )


def _verdict(result: Reconciliation) -> dict[str, Any]:
    """What the comparison came to; coverage is backing over owed, exactly."""
    return {
        "backing": result.backing,
        "breaks": {str(each.reason): each.amount for each in result.breaks},
        "owed": result.owed,
        "result": str(result.result),
        "unexplained": result.unexplained,
    }


def _cosigners(_view: View, body: ReconcileDay) -> Iterable[Cosigner]:
    return as_cosigner(body.auditor)


def _cut_weight(body: ReconciliationCut) -> int:
    return CUT_WEIGHT if TENGE in body.assets else len(body.assets)


MODULE = RuleModule(
    name="reconciliation",
    meaning="Books, ledger and attested coins compared, day by day.",
    tables=(CUTS,),
    kinds=(
        Kind(
            name="reconciliation_cut",
            body=ReconciliationCut,
            meaning="Write down what the ledger shows, for the books to be compared with.",
            refusals=(
                RECONCILIATION_NOT_REQUIRED,
                CUT_ASSET_REPEATED,
                COIN_NOT_ADMITTED,
                CUT_UNRECONCILED,
                CUTS_TOO_MANY,
            ),
            decide=_cut,
            weight=_cut_weight,
        ),
        Kind(
            name="reconcile_day",
            body=ReconcileDay,
            meaning="Compare the books with the cut of a business date; maker and checker sign.",
            refusals=(
                RECONCILIATION_NOT_REQUIRED,
                AUDITOR_UNFIT,
                AUDITOR_RELATED,
                CUT_ASSET_REPEATED,
                CUT_DATE_DIFFERS,
                CUT_RECONCILED,
            ),
            decide=_reconcile,
            cosigners=_cosigners,
        ),
    ),
)
