"""Closed business days: the trial balance and the supply of each, as its close put them on record."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from ledger.views.answers import BusinessDay
from wallet_api.answers import json_answer
from wallet_api.openapi import READING, VIEWING, described
from wallet_api.parts import Node
from wallet_api.routes.reading import KNOWN_QUERY, MinSequence, Reader, decimal

router: Final = APIRouter(prefix="/v1", tags=["Register"], dependencies=[KNOWN_QUERY])

DAYS_PER_ANSWER_MAX: Final = 366
"""Most days of one answer: a year of them."""

DAYS_PER_ANSWER: Final = 31
"""Days of an answer unless more are asked for."""


class DaySupply(msgspec.Struct, frozen=True, kw_only=True):
    """What was issued and redeemed of one asset on one business day, in its smallest unit."""

    asset: str
    issued: int
    redeemed: int


class ClassBalance(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts of one class in one asset."""

    accounts: int
    """How many there are."""
    sum: int
    """What they hold together, in the asset's smallest unit."""


class DayAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A closed business day."""

    business_date: str
    opens: str
    """The business date after it."""
    sequence: int
    """Leaf index of the record that closed it."""
    height: int
    time_us: int
    """When it was closed, in microseconds since 1970."""
    supply: tuple[DaySupply, ...]
    """Of each asset that was issued or redeemed on the day."""
    trial_balance: dict[str, dict[str, ClassBalance]] | None = None
    """By asset and account class; absent where it is too long for a record."""
    trial_balance_digest: str | None = None
    """Digest of the trial balance where the record holds no more than that, base64url."""


class DaysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Closed business days, newest first."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    days: tuple[DayAnswer, ...]


@router.get(
    "/days",
    operation_id="read_days",
    summary="Closed business days",
    responses=described(
        DaysAnswer,
        "The days, newest first.",
        *READING,
        *VIEWING,
        example={
            "includes_sequence": 412,
            "days": [
                {
                    "business_date": "2024-12-24",
                    "opens": "2024-12-25",
                    "sequence": 410,
                    "height": 17,
                    "time_us": 1_735_000_017_000_000,
                    "supply": [{"asset": "KZT", "issued": 100_000_000, "redeemed": 0}],
                    "trial_balance": {"KZT": {"own": {"accounts": 2, "sum": 100_000_000}}},
                }
            ],
        },
    ),
)
async def read_days(
    node: Node,
    _reader: Reader,
    before: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
            description="Only days before this business date: the oldest one of the page before.",
        ),
    ] = None,
    limit: Annotated[
        int, Field(ge=1, le=DAYS_PER_ANSWER_MAX), BeforeValidator(decimal), Query(description="Most days.")
    ] = DAYS_PER_ANSWER,
    min_sequence: MinSequence = None,
) -> Response:
    """Every role reads the sums of the whole."""
    found = await node.projections.read(lambda views: views.days(before=before, limit=limit), min_sequence=min_sequence)
    return json_answer(DaysAnswer(includes_sequence=found.size - 1, days=tuple(map(_day, found.value))))


def _day(day: BusinessDay) -> DayAnswer:
    return DayAnswer(
        business_date=day.business_date,
        opens=day.opens,
        sequence=day.sequence,
        height=day.height,
        time_us=day.time_us,
        supply=tuple(DaySupply(asset=sums.asset, issued=sums.issued, redeemed=sums.redeemed) for sums in day.supply),
        trial_balance=msgspec.convert(day.trial_balance, dict[str, dict[str, ClassBalance]] | None),
        trial_balance_digest=day.trial_balance_digest,
    )
