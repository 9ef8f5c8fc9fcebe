"""Registers as of a moment, and published prices: open to all participants, but for who belongs with whom."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from ledger.state import Table, View
from ledger.units import TIMESTAMP_MAX, TimestampUs
from settlement.model.authorities import Part
from settlement.model.intervals import Status
from settlement.model.parties import holds
from settlement.model.prices import PriceReference, SupersededPrice
from settlement.model.registers import Register
from settlement.rules.parties import exposed
from settlement.rules.prices import price_on
from settlement.rules.register_snapshot import register_snapshot
from settlement.rules.registry import REGISTERS
from settlement.rules.tables import COINS, EXPOSURES, MINERS, PARTIES, PRICE_HISTORY, RELATED
from settlement.rules.validity import status_at
from wallet_api.answers import json_answer
from wallet_api.openapi import READING, described
from wallet_api.parts import Node
from wallet_api.routes.reading import KNOWN_QUERY, Reader, decimal, not_found
from wallet_api.routes.settlement_reading import (
    DATE_PATTERN,
    PAGE_ROWS,
    CoinPath,
    CursorQuery,
    LimitQuery,
    date_of,
    page_of,
    read_state,
)

router: Final = APIRouter(prefix="/v1", tags=["Settlement registers"], dependencies=[KNOWN_QUERY])

READS_KINSHIP: Final = frozenset({Part.QUOTA, Part.VENUE, Part.CASES})
"""Who belongs with whom, and who is politically exposed, is for those that look for sham sales."""


class RegisterName(StrEnum):
    """The registers, those whose subjects have a history and those without."""

    EXCHANGE = "exchange"
    POOL = "pool"
    LICENCE = "licence"
    SITE = "site"
    METER = "meter"
    PERMISSION = "permission"
    PRICE_LIST = "price_list"
    UTILITY = "utility"
    MINER = "miner"
    COIN = "coin"
    PARTY = "party"
    RELATION = "relation"
    EXPOSURE = "exposure"


_KINSHIP: Final = frozenset({RegisterName.PARTY, RegisterName.RELATION, RegisterName.EXPOSURE})

_UNDATED: Final[Mapping[RegisterName, Table[Any]]] = {
    RegisterName.MINER: MINERS,
    RegisterName.COIN: COINS,
    RegisterName.PARTY: PARTIES,
    RegisterName.RELATION: RELATED,
    RegisterName.EXPOSURE: EXPOSURES,
}

MomentQuery = Annotated[
    Annotated[int, Field(ge=0, le=TIMESTAMP_MAX), BeforeValidator(decimal)] | None,
    Query(description="Microseconds since 1970; now unless given."),
]


class RegisterEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A subject of a register, as is known now of that moment."""

    subject: str
    """Participant id, number, symbol or party."""
    status: Status | None = None
    """Of a subject with a history, at the moment; absent before, between and after its intervals."""
    facts: dict[str, Any]
    """What the register holds, with the whole history; names and IIN are commitments."""


class RegisterAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of a register, by subject."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    as_of_us: int
    entries: tuple[RegisterEntry, ...]
    next_cursor: str | None = None
    """Where the next page goes on; absent on the last one."""


class SnapshotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All registers as of a moment, by their digest: what a statement names."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    as_of_us: int
    rows: int
    """Subjects that were in force, and relations and terms that held."""
    digest: str
    """SHA-256 over the digests of all rows in order, base64url."""


class PriceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The published price of a coin that holds on a date."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    coin: str
    date: str
    price: PriceReference
    """Tiyn for one whole coin; `carried_from` names the working day whose price it is, where that is another one."""
    superseded: tuple[SupersededPrice, ...]
    """Earlier versions of it, oldest first."""


@router.get(
    "/registers",
    operation_id="read_registers",
    summary="Digest of all registers as of a moment",
    responses=described(
        SnapshotAnswer,
        "The digest.",
        *READING,
        example={
            "includes_sequence": 412,
            "as_of_us": 1_735_000_009_000_000,
            "rows": 7,
            "digest": "WkqH2m3c4h6Fn8c5n0b2yq1Vw9l8d7s6a5p4o3i2u1Y",
        },
    ),
)
async def read_registers(node: Node, _reader: Reader, as_of_us: MomentQuery = None) -> Response:
    """It tells whether two readers saw the same registers, and nothing of what stands in them."""
    moment = TimestampUs(node.now_us() if as_of_us is None else as_of_us)
    includes_sequence, snapshot = await read_state(node, lambda view: register_snapshot(view, moment))
    return json_answer(
        SnapshotAnswer(
            includes_sequence=includes_sequence, as_of_us=moment, rows=len(snapshot.rows), digest=snapshot.digest
        )
    )


@router.get(
    "/registers/{register}",
    operation_id="read_register",
    summary="A page of a register as of a moment",
    responses=described(
        RegisterAnswer,
        "The page, by subject.",
        "not_found",
        *READING,
        example={
            "includes_sequence": 412,
            "as_of_us": 1_735_000_009_000_000,
            "entries": [
                {
                    "subject": "aix-one",
                    "status": "active",
                    "facts": {"licence": "AFSA-1", "history": [{"status": "active", "from_us": 0}]},
                }
            ],
        },
    ),
)
async def read_register(
    register: Annotated[RegisterName, Path(description="Which register.")],
    node: Node,
    reader: Reader,
    as_of_us: MomentQuery = None,
    subject: Annotated[str | None, Query(min_length=1, max_length=80, description="Only this subject.")] = None,
    cursor: CursorQuery = None,
    limit: LimitQuery = PAGE_ROWS,
) -> Response:
    """Every participant reads them; parties, relations and exposures only those that look for sham sales."""
    if register in _KINSHIP and not reader.parts & READS_KINSHIP:
        raise not_found()
    moment = TimestampUs(node.now_us() if as_of_us is None else as_of_us)
    includes_sequence, entries = await read_state(node, lambda view: list(_entries(view, register, moment, subject)))
    page, next_cursor = page_of(entries, _subject, cursor, limit)
    return json_answer(
        RegisterAnswer(includes_sequence=includes_sequence, as_of_us=moment, entries=page, next_cursor=next_cursor)
    )


@router.get(
    "/prices/{coin}/{date}",
    operation_id="read_price",
    summary="Published price of a coin on a date",
    responses=described(
        PriceAnswer,
        "The price.",
        "not_found",
        *READING,
        example={
            "includes_sequence": 412,
            "coin": "BTC",
            "date": "2024-12-28",
            "price": {
                "price": 4_877_536_166,
                "source": "State Revenue Committee",
                "published_us": 1_735_000_009_000_000,
                "carried_from": "2024-12-27",
            },
            "superseded": [],
        },
    ),
)
async def read_price(
    coin: CoinPath,
    date: Annotated[str, Path(pattern=DATE_PATTERN, description="A local date.")],
    node: Node,
    _reader: Reader,
) -> Response:
    """Every participant reads prices. A working day for which none was published has none."""
    asked = date_of("date", date)

    def read(view: View) -> tuple[PriceReference | None, tuple[SupersededPrice, ...]]:
        price = price_on(view, coin, asked)
        worked = asked if price is None or price.carried_from is None else price.carried_from
        return price, view.get(PRICE_HISTORY, f"{coin}/{worked}") or ()

    includes_sequence, (price, superseded) = await read_state(node, read)
    if price is None:
        raise not_found()
    return json_answer(
        PriceAnswer(includes_sequence=includes_sequence, coin=coin, date=asked, price=price, superseded=superseded)
    )


def _entries(view: View, register: RegisterName, moment: TimestampUs, subject: str | None) -> Iterable[RegisterEntry]:
    """The subjects of a register; of relations and terms, those that held at the moment."""
    dated = Register(register) if register in {each.value for each in Register} else None
    table = _UNDATED[register] if dated is None else REGISTERS[dated]
    facts_of = _FACTS.get(register, _facts)
    for key, row in view.items(table):
        if subject is not None and key != subject:
            continue
        facts = facts_of(view, key, row, moment)
        if facts:
            status = None if dated is None else status_at(view, dated, key, moment)
            yield RegisterEntry(subject=key, status=status, facts=facts)


def _facts(_view: View, _key: str, row: Any, _moment: TimestampUs) -> dict[str, Any]:  # noqa: ANN401 - any record
    facts: dict[str, Any] = msgspec.to_builtins(row)
    return facts


def _relations(_view: View, _key: str, row: Any, moment: TimestampUs) -> dict[str, Any]:  # noqa: ANN401 - relations
    held = [msgspec.to_builtins(relation) for relation in row if holds(relation, moment)]
    return {"relations": held} if held else {}


def _exposures(view: View, key: str, row: Any, moment: TimestampUs) -> dict[str, Any]:  # noqa: ANN401 - terms
    exposure = exposed(view, key, moment)
    return {} if exposure is None else {"exposed": str(exposure), "terms": msgspec.to_builtins(row)}


_FACTS: Final[Mapping[RegisterName, Callable[[View, str, Any, TimestampUs], dict[str, Any]]]] = {
    RegisterName.RELATION: _relations,
    RegisterName.EXPOSURE: _exposures,
}


def _subject(entry: RegisterEntry) -> str:
    return entry.subject
