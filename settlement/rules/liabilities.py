"""Proof of liabilities: an exchange publishes the root of the sum tree over what it owes its clients of one asset.

The root stands beside what the ledger itself knows: the total must be the books of the reconciliation of that date,
and no less than the ledger shows is owed. Each reconciliation gets one root, so that no two clients are shown different
trees. Whether every client is in the tree the ledger cannot know: each client checks its own leaf, an auditor all.

What stands against it is coins that an auditor saw. The attestation is the fresh, dated challenge of their control: it
names the moment, comes after the last one, and commits to the evidence.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import View
from ledger.units import AssetField, DateField, DigestField, ParticipantField, TotalField
from settlement.model.liabilities import LEAVES_MAX
from settlement.model.reconciliation import Liabilities
from settlement.rules.custody import AUDITOR_RELATED
from settlement.rules.reconciliation import AUDITOR_UNFIT, as_cosigner, refuse_auditor
from settlement.rules.reconciliation_order import asset_key
from settlement.rules.tables import LIABILITIES, RECONCILIATIONS


class LiabilitiesPublish(Record, frozen=True, kw_only=True):
    """Publish the root of the sum tree over what clients are owed of an asset, as of the cut of a date."""

    asset: AssetField
    date: DateField
    root: DigestField
    total: TotalField
    """The sum of all leaves, in the asset's smallest unit."""
    leaves: Annotated[int, Meta(ge=0, le=LEAVES_MAX)]
    """How many clients are owed something, or were; padding does not count."""
    auditor: ParticipantField | None = None
    """An auditor that signs too."""


LIABILITIES_DATE_DIFFERS = RefusalCode(
    "liabilities_date_differs", "The last reconciliation of the asset is not of that business date."
)
LIABILITIES_PUBLISHED = RefusalCode(
    "liabilities_published", "A root was published for this reconciliation; there is one tree for all clients."
)
LIABILITIES_UNDERSTATED = RefusalCode(
    "liabilities_understated", "The ledger shows that clients are owed more than this total."
)
LIABILITIES_DIFFER = RefusalCode(
    "liabilities_differ", "The total is not what the books of that date say that clients are owed."
)


def _publish(view: View, submitted: Submitted) -> Proposal | Refused:
    body: LiabilitiesPublish = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    key = asset_key(exchange, body.asset)
    if refused := refuse_auditor(view, exchange, body.auditor, submitted.time_us):
        return refused
    last, published = view.get(RECONCILIATIONS, key), view.get(LIABILITIES, key)
    if last is None or last.date != body.date:
        detail = f"{key} was never reconciled" if last is None else f"expected {last.date}, got {body.date}"
        return Refused(LIABILITIES_DATE_DIFFERS, detail=detail)
    if published is not None and published.cut_us == last.cut_us:
        return Refused(LIABILITIES_PUBLISHED, detail=f"{key}, root {published.root}")
    if body.total < last.ledger:
        return Refused(LIABILITIES_UNDERSTATED, detail=f"expected {last.ledger} at least, got {body.total}")
    if body.total != last.books:
        return Refused(LIABILITIES_DIFFER, detail=f"expected {last.books}, got {body.total}")
    liabilities = Liabilities(
        date=body.date,
        cut_us=last.cut_us,
        root=body.root,
        total=body.total,
        leaves=body.leaves,
        ledger=last.ledger,
        backing=last.backing,
        published_us=submitted.time_us,
        auditor=body.auditor,
    )
    return Proposal(changes=((LIABILITIES, key, liabilities),), record=_coverage(liabilities))


def _coverage(liabilities: Liabilities) -> dict[str, Any]:
    """Coverage as an exact fraction in lowest terms; where nothing is owed there is none."""
    covered = liabilities.coverage
    fraction = {} if covered is None else {"coverage": [covered.numerator, covered.denominator]}
    return {"backing": liabilities.backing, "ledger": liabilities.ledger, **fraction}


def _cosigners(_view: View, body: LiabilitiesPublish) -> Iterable[Cosigner]:
    return as_cosigner(body.auditor)


MODULE = RuleModule(
    name="liabilities",
    meaning="Published roots of what exchanges owe their clients.",
    tables=(LIABILITIES,),
    kinds=(
        Kind(
            name="liabilities_publish",
            body=LiabilitiesPublish,
            meaning="Publish the root of the sum tree over what clients are owed.",
            refusals=(
                AUDITOR_UNFIT,
                AUDITOR_RELATED,
                LIABILITIES_DATE_DIFFERS,
                LIABILITIES_PUBLISHED,
                LIABILITIES_UNDERSTATED,
                LIABILITIES_DIFFER,
            ),
            decide=_publish,
            cosigners=_cosigners,
        ),
    ),
)
