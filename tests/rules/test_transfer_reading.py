"""The quick way to read a transfer agrees with its schema on every payload: on what is read, and on what is not."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.crypto.canonical import NotCanonical
from ledger.model.transactions import Transaction
from ledger.rules.transfers import Transfer, read_transfer, read_transfer_again
from ledger.units import AMOUNT_MAX
from tests.book import pilot_book, wallet

BOOK: Final = pilot_book()
SCHEMA: Final = Transaction[Transfer]
A, B = wallet("601", 1), wallet("602", 1)
DIGEST: Final = "A" * 43

GOOD: Final[dict[str, Any]] = {
    "network": BOOK.network,
    "participant": "bank-a",
    "kind": "transfer",
    "reference": "01a2147d-3780-71bb-9c47-151d7a95b912",
    "asset": "KZT",
    "debit": A,
    "credit": B,
    "amount": 7,
}
ODD: Final = [
    "",
    "\n",
    "é",
    "KZT\nKZ",
    A + "\n" + B,
    "bank-a\ntransfer",
    "btc",
    "BTC:aix-one",
    "BTC:",
    DIGEST,
    None,
    1,
    True,
]


def payload(members: dict[str, Any]) -> bytes:
    """A payload with those members, whatever they are, at their places."""
    outer = ("network", "participant", "kind", "reference", "expires")
    whole = {name: value for name, value in members.items() if name in outer}
    body = {name: value for name, value in members.items() if name not in outer}
    return canonical.encode({**whole, "body": body})


def check(data: bytes) -> None:
    """Read by the schema and quickly, and compare."""
    try:
        expected: Transaction[Transfer] | None = canonical.decode(data, SCHEMA)
    except NotCanonical:
        expected = None
    got = read_transfer(data)
    assert (got is None) is (expected is None)
    if got is not None and expected is not None:
        assert isinstance(got.body, Transfer)
        assert canonical.encode(got) == canonical.encode(expected) == data
        assert read_transfer_again(data) == got


def near(value: object) -> st.SearchStrategy[object]:
    """Values like a good one."""
    if not isinstance(value, str):
        return st.sampled_from([1, AMOUNT_MAX, 0, -1, AMOUNT_MAX + 1, True, None, "1", 1.5])
    return st.sampled_from(
        [value, value[:-1], value + "0", "x" + value, value.lower(), value.upper(), value + "\n", "\n" + value]
    )


@pytest.mark.parametrize("others", [{}, {"details": DIGEST}, {"expires": 5}, {"asset": "BTC:aix-one"}])
def test_a_good_transfer_is_read(others: dict[str, object]) -> None:
    data = payload(GOOD | others)
    assert read_transfer(data) is not None
    check(data)


@pytest.mark.parametrize("name", sorted({*GOOD, "details", "expires"}))
def test_one_member_that_is_odd_or_missing_is_found(name: str) -> None:
    for odd in ODD:
        check(payload(GOOD | {name: odd}))
    check(payload({each: value for each, value in GOOD.items() if each != name}))


@pytest.mark.parametrize("name", sorted(GOOD))
@given(data=st.data())
def test_the_quick_way_reads_what_the_schema_reads(name: str, data: st.DataObject) -> None:
    check(payload(GOOD | {name: data.draw(near(GOOD[name]))}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("participant", ["a" * 32, "a" * 33, "aa", "a", "a-", "-a", "a1", "1a", "b\u0430nk"]),
        ("asset", ["AB", "A", "A" * 12, "A" * 13, "A:b", "BTC:aix", "BTC:" + "a" * 32, "BTC:" + "a" * 33, "\u0410BC"]),
        ("kind", ["tr", "t", "t" * 48, "t" * 49, "t-r", "t_r"]),
        ("debit", [A[:2] + "\u0661" + A[3:], A[:-1] + "\u0410"]),
        ("network", ["a" * 48 + ":" + DIGEST, "a" * 49 + ":" + DIGEST, "aa:" + DIGEST, "a:" + DIGEST, "aa" + DIGEST]),
    ],
)
def test_texts_at_their_bounds_and_one_past_them_are_told_apart(name: str, values: list[str]) -> None:
    for value in values:
        check(payload(GOOD | {name: value}))


def test_a_text_cannot_lend_a_letter_to_its_neighbour() -> None:
    check(payload(GOOD | {"debit": A[:-1], "credit": A[-1] + B}))
    check(payload(GOOD | {"asset": "KZT\n" + A, "debit": B, "credit": B}))
    check(payload(GOOD | {"kind": "transfer\n", "reference": GOOD["reference"]}))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"null", b"[]", payload(GOOD) + b" ", payload(GOOD).replace(b'"amount"', b'"amount" ')]
)
def test_what_is_no_transfer_is_left_to_the_schema(data: bytes) -> None:
    assert read_transfer(data) is None
    check(data)
