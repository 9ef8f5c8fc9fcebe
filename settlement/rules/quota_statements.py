"""Statements that an authority has published: their digests in versions, so that none is changed in silence.

The ledger holds the chain and does not compute the statement, for that would go through all lots and claims while a
block waits. Whoever holds an export computes it and compares.
"""

from typing import Annotated

from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.keys import is_business_date
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import View
from ledger.units import DateField, DigestField, ParticipantField
from settlement.model.claims import PublishedStatement
from settlement.model.registers import CoinField
from settlement.rules.coins import COIN_UNKNOWN
from settlement.rules.miners import MINER_UNKNOWN
from settlement.rules.tables import COINS, MINERS, PUBLISHED_STATEMENTS


class QuotaStatementPublish(Record, frozen=True, kw_only=True):
    """Publish the next version of a quota statement, by its digest."""

    miner: ParticipantField
    coin: CoinField
    as_of: DateField
    """Last local date that the statement counts."""
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    statement: DigestField
    """Digest of this version."""
    inputs: DigestField
    """Digest of what it was computed from."""
    previous: DigestField | None = None
    """Digest of the version before it; none for the first."""


STATEMENT_DATE_INVALID = RefusalCode(
    "statement_date_invalid", "The date of the statement does not exist or is after the business date."
)
STATEMENT_OUT_OF_ORDER = RefusalCode(
    "statement_out_of_order", "The statement is not the next version, or does not name the digest of the last one."
)


def statement_key(miner: str, coin: str, as_of: str) -> str:
    """Return under which key the last published version of a statement stands."""
    return f"{miner}/{coin}/{as_of}"


def _publish(view: View, submitted: Submitted) -> Proposal | Refused:
    body: QuotaStatementPublish = submitted.signed.body
    if view.get(MINERS, body.miner) is None:
        return Refused(MINER_UNKNOWN, detail=f"miner {body.miner}")
    if view.get(COINS, body.coin) is None:
        return Refused(COIN_UNKNOWN, detail=f"coin {body.coin}")
    if not is_business_date(body.as_of) or body.as_of > submitted.business_date:
        return Refused(STATEMENT_DATE_INVALID, detail=f"date {body.as_of}, business date {submitted.business_date}")
    key = statement_key(body.miner, body.coin, body.as_of)
    last = view.get(PUBLISHED_STATEMENTS, key)
    expected = (1, None) if last is None else (last.version + 1, last.statement)
    if (body.version, body.previous) != expected:
        return Refused(STATEMENT_OUT_OF_ORDER, detail=f"expected version {expected[0]} after {expected[1]}")
    published = PublishedStatement(
        version=body.version, statement=body.statement, inputs=body.inputs, published_us=submitted.time_us
    )
    return Proposal(changes=((PUBLISHED_STATEMENTS, key, published),), record={})


MODULE = RuleModule(
    name="quota_statements",
    meaning="Published quota statements, in versions.",
    tables=(PUBLISHED_STATEMENTS,),
    kinds=(
        Kind(
            name="quota_statement_publish",
            body=QuotaStatementPublish,
            meaning="Publish the next version of a quota statement, by its digest.",
            refusals=(
                MINER_UNKNOWN,
                COIN_UNKNOWN,
                STATEMENT_DATE_INVALID,
                STATEMENT_OUT_OF_ORDER,
            ),
            decide=_publish,
        ),
    ),
)
