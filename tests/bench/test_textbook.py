import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from sqlalchemy import make_url

from wallet_api.bench import textbook
from wallet_api.bench.textbook import Refused, pay_plain, pay_tuned

FROZEN_SHA256 = "5b0477a601ea1ac94c3856e94c704136ced67f4d7afb7edd55b76624b2bb18f9"
"""Of textbook.sql. A change of the yardstick makes all figures before it worthless: make another yardstick instead."""

REFERENCE = "019400f1-9a00-7000-8000-000000000001"

Pay = Callable[[AsyncConnection[Any], Mapping[str, Any]], Any]


@pytest.fixture
def uri(postgres_database_url: str) -> str:
    address = make_url(postgres_database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(textbook.SQL["schema"])
        connection.execute(textbook.SQL["pay_function"])
        connection.cursor().executemany(
            "INSERT INTO account VALUES (%s, %s, %s, %s)",
            [("A", "bank", "KZT", 100), ("B", "other", "KZT", 0), ("C", "bank", "BTC:aix", 50)],
        )
    return address


def values(**changed: object) -> dict[str, object]:
    usual = {
        "participant": "bank",
        "reference": REFERENCE,
        "transaction_id": b"one",
        "debit": "A",
        "credit": "B",
        "asset": "KZT",
        "amount": 30,
    }
    return {**usual, **changed}


async def pay_once(uri: str, pay: Pay, *payments: Mapping[str, object]) -> tuple[list[Any], dict[str, int], int]:
    """What each payment came to, then all balances and the number of transfers."""
    ends: list[Any] = []
    async with await AsyncConnection.connect(uri, autocommit=True) as connection:
        for payment in payments:
            try:
                ends.append(await pay(connection, payment))
            except Refused as refused:
                ends.append(str(refused))
        cursor = await connection.execute("SELECT id, balance FROM account")
        balances = {account: balance async for account, balance in cursor}
        counted = await (await connection.execute("SELECT count(*) FROM transfer")).fetchone()
    assert counted is not None
    return ends, balances, counted[0]


def played(uri: str, pay: Pay, *payments: Mapping[str, object]) -> tuple[list[Any], dict[str, int], int]:
    return asyncio.run(pay_once(uri, pay, *payments))


both = pytest.mark.parametrize("pay", [pay_plain, pay_tuned])


def test_the_yardstick_is_frozen() -> None:
    text = Path(textbook.__file__).with_name("textbook.sql").read_bytes()
    assert hashlib.sha256(text).hexdigest() == FROZEN_SHA256


@both
def test_a_transfer_moves_money_once_however_often_it_is_sent(uri: str, pay: Pay) -> None:
    ends, balances, transfers = played(uri, pay, values(), values())
    assert ends[0] == ends[1]
    assert balances == {"A": 70, "B": 30, "C": 50}
    assert transfers == 1


@both
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount": 101}, "insufficient_funds"),
        ({"debit": "B", "credit": "A"}, "debit_account_not_found"),
        ({"debit": "X"}, "debit_account_not_found"),
        ({"credit": "X"}, "credit_account_not_found"),
        ({"credit": "C"}, "account_asset_differs"),
    ],
)
def test_a_refused_transfer_changes_nothing(uri: str, pay: Pay, changed: dict[str, object], code: str) -> None:
    ends, balances, transfers = played(uri, pay, values(**changed))
    assert ends == [code]
    assert balances == {"A": 100, "B": 0, "C": 50}
    assert transfers == 0


@both
def test_a_reference_stands_for_one_transfer(uri: str, pay: Pay) -> None:
    ends, balances, _ = played(uri, pay, values(), values(transaction_id=b"two", amount=1))
    assert ends[1] == "reference_reused"
    assert balances["A"] == 70
