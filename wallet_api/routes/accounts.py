"""Accounts: what is on them now, and how it came there. Each participant reads its own."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from ledger.crypto.canonical import b64url
from ledger.model.accounts import Account, AccountStatus
from ledger.model.journal import Side
from ledger.model.participants import Role
from ledger.rules.tables import ACCOUNTS, BALANCES, PARTICIPANTS
from ledger.units import BALANCE_MAX, AccountId
from ledger.views.answers import StatementLine
from ledger.views.statements import LINES_PER_PAGE, LINES_PER_PAGE_MAX
from settlement.model.authorities import Part
from wallet_api.answers import json_answer
from wallet_api.auth import Grant
from wallet_api.openapi import READING, VIEWING, described
from wallet_api.parts import Node, Parts
from wallet_api.routes.reading import KNOWN_QUERY, AccountPath, MinSequence, Reader, boolean, decimal, not_found

router: Final = APIRouter(prefix="/v1/accounts", tags=["Accounts"], dependencies=[KNOWN_QUERY])


class AccountAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account as of now."""

    includes_sequence: int
    """The newest leaf that the answer includes; it may include later ones."""
    account: str
    asset: str
    balance: int
    """In the asset's smallest unit."""
    owner: str
    """The participant that keeps the account."""
    account_class: str
    status: AccountStatus
    holder: str | None = None
    """The owner's pseudonym for the person or firm behind the account."""
    holder_key: str | None = None
    """Key id of the holder; no debit without its signature or mandate."""
    frozen_by: str | None = None
    """Who ordered the freeze."""


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One posting on an account."""

    number: int
    """Lines of the account up to this one, from 1."""
    side: Side
    """A credit adds, a debit takes."""
    amount: int
    balance: int
    """Balance of the account after it."""
    sequence: int
    """Leaf index of the journal entry."""
    line: int
    """Line of the transaction, from 0."""
    height: int
    time_us: int
    business_date: str
    kind: str
    participant: str
    """Who sent the transaction."""
    transaction_id: str
    reference: str | None = None
    """The sender's own id of it; only the sender and those that read every transaction see it."""
    counterparty: str | None = None
    """The other account of an entry of two postings."""
    label: str | None = None
    """The sender's name of the line of a bulk."""


class StatementAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of an account's statement."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    account: str
    asset: str
    balance: int
    """Balance after the newest line there is, whatever the page."""
    line_count: int
    """Lines there are."""
    lines: tuple[LineAnswer, ...]
    next_cursor: int | None = None
    """Where the next page goes on; absent on the last one."""


_ACCOUNT: Final = "KZ86601OWN0000000000"


@router.get(
    "/{account}",
    operation_id="read_account",
    summary="An account and its balance",
    responses=described(
        AccountAnswer,
        "The account.",
        "not_found",
        *READING,
        example={
            "includes_sequence": 412,
            "account": _ACCOUNT,
            "asset": "KZT",
            "balance": 100_000_000,
            "owner": "bank-a",
            "account_class": "own",
            "status": "open",
        },
    ),
)
async def read_account(account: AccountPath, node: Node, reader: Reader) -> Response:
    """The balance is that of the state itself, not of a projection. An account of somebody else is not found."""
    includes_sequence = node.includes_sequence
    account_id = AccountId(account)
    row = _readable(node, reader, account_id)
    return json_answer(
        AccountAnswer(
            includes_sequence=includes_sequence,
            account=account_id,
            asset=row.asset,
            balance=node.sequencer.state.get(BALANCES, account_id) or 0,
            owner=row.owner,
            account_class=row.account_class,
            status=row.status,
            holder=row.holder,
            holder_key=row.holder_key,
            frozen_by=row.frozen_by,
        )
    )


@router.get(
    "/{account}/statement",
    operation_id="read_statement",
    summary="A page of an account's statement",
    responses=described(
        StatementAnswer,
        "The page, newest lines first unless asked otherwise.",
        "not_found",
        *READING,
        *VIEWING,
        example={
            "includes_sequence": 412,
            "account": _ACCOUNT,
            "asset": "KZT",
            "balance": 100_000_000,
            "line_count": 1,
            "lines": [
                {
                    "number": 1,
                    "side": "credit",
                    "amount": 100_000_000,
                    "balance": 100_000_000,
                    "sequence": 16,
                    "line": 0,
                    "height": 9,
                    "time_us": 1_735_000_009_000_000,
                    "business_date": "2024-12-24",
                    "kind": "issue",
                    "participant": "bank-a",
                    "transaction_id": "WkqH2m3c4h6Fn8c5n0b2yq1Vw9l8d7s6a5p4o3i2u1Y",
                    "reference": "0193f5a0-0000-7000-8000-000000000001",
                }
            ],
        },
    ),
)
async def read_statement(
    account: AccountPath,
    node: Node,
    reader: Reader,
    cursor: Annotated[
        Annotated[int, Field(ge=1, le=BALANCE_MAX), BeforeValidator(decimal)] | None,
        Query(description="`next_cursor` of the page before."),
    ] = None,
    limit: Annotated[
        int,
        Field(ge=1, le=LINES_PER_PAGE_MAX),
        BeforeValidator(decimal),
        Query(description="Most lines of the page."),
    ] = LINES_PER_PAGE,
    is_oldest_first: Annotated[bool, BeforeValidator(boolean), Query()] = False,
    min_sequence: MinSequence = None,
) -> Response:
    """Every posting on the account with the balance after it."""
    account_id = AccountId(account)
    row = _readable(node, reader, account_id)
    answer = await node.projections.read(
        lambda views: views.statement(account_id, cursor=cursor, limit=limit, is_oldest_first=is_oldest_first),
        min_sequence=min_sequence,
    )
    statement = answer.value
    return json_answer(
        StatementAnswer(
            includes_sequence=answer.size - 1,
            account=account_id,
            asset=row.asset,
            balance=statement.balance,
            line_count=statement.line_count,
            lines=tuple(_line(line, reader) for line in statement.lines),
            next_cursor=statement.next_cursor,
        )
    )


def _readable(node: Parts, reader: Grant, account: AccountId) -> Account:
    """The account, if the reader may see it; one of somebody else and none at all answer alike (design D26)."""
    row = node.sequencer.state.get(ACCOUNTS, account)
    if row is None or not (
        reader.reads_everything or row.owner == reader.participant or _is_watched(node, reader, row)
    ):
        raise not_found()
    return row


def _is_watched(node: Parts, reader: Grant, row: Account) -> bool:
    """Whether it is an account at an exchange, and the reader watches over clients' property there."""
    if Part.CLIENT_ASSETS not in reader.parts:
        return False
    owner = node.sequencer.state.get(PARTICIPANTS, row.owner)
    assert owner is not None, "an account belongs to a participant"
    return owner.role is Role.EXCHANGE


def _line(line: StatementLine, reader: Grant) -> LineAnswer:
    is_open = reader.reads_everything or line.participant == reader.participant
    return LineAnswer(
        number=line.number,
        side=line.side,
        amount=line.amount,
        balance=line.balance,
        sequence=line.sequence,
        line=line.line,
        height=line.height,
        time_us=line.time_us,
        business_date=line.business_date,
        kind=line.kind,
        participant=line.participant,
        transaction_id=b64url(line.transaction_id),
        reference=line.reference if is_open else None,
        counterparty=line.counterparty,
        label=line.label,
    )
