"""The quick way to read a bulk agrees with its schema on every payload: on what is read, and on what is not."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.crypto.canonical import NotCanonical
from ledger.model.transactions import Transaction
from ledger.rules.bulk import BulkTransfer, Line, bulk_entries, bulk_pairs, read_bulk
from ledger.units import AMOUNT_MAX, BULK_LINES_MAX
from tests.book import pilot_book, wallet

BOOK: Final = pilot_book()
SCHEMA: Final = Transaction[BulkTransfer]
A, B = wallet("601", 1), wallet("602", 1)

accounts = st.one_of(
    st.sampled_from([A, B]),
    st.sampled_from([A[:-1], A + "0", "X" + A, A.lower(), A + "\n", "\n" + A, "", A + B, A[:-1] + "é", A[:-1] + "٣"]),
    st.text(alphabet="KZ0123456789A\n", max_size=21),
)
labels = st.one_of(
    st.sampled_from(["a", "L" * 35, "a.b_c-D9", "L" * 36, "", "a b", "a\n", "\n", "a/b", "é", '"', "\\"]),
    st.text(alphabet="aZ9._-\n", max_size=37),
)
amounts = st.sampled_from([1, 2, AMOUNT_MAX, 0, -1, AMOUNT_MAX + 1, True, None, "1", 1.5])
whole_lines = st.lists(
    st.fixed_dictionaries({"debit": accounts, "credit": accounts, "amount": amounts, "label": labels}), max_size=4
)


def payload(lines: object, **others: object) -> bytes:
    """A payload with those lines, whatever they are."""
    body = {"asset": "KZT", "is_atomic": True, "lines": lines} | others
    return canonical.encode(
        {
            "network": BOOK.network,
            "participant": "bank-a",
            "kind": "bulk_transfer",
            "reference": BOOK.reference(),
            "body": body,
        }
    )


def check(data: bytes) -> None:
    """Read by the schema and quickly, and compare."""
    try:
        expected: Transaction[BulkTransfer] | None = canonical.decode(data, SCHEMA)
    except NotCanonical:
        expected = None
    got = read_bulk(data)
    assert (got is None) is (expected is None)
    if got is not None and expected is not None:
        assert isinstance(got.body, BulkTransfer)
        assert canonical.encode(got) == canonical.encode(expected) == data
        assert bulk_pairs(got.body) == bulk_pairs(expected.body)
        assert bulk_entries(got.body) == bulk_entries(expected.body)


@given(whole_lines)
def test_the_quick_way_reads_what_the_schema_reads(lines: list[dict[str, object]]) -> None:
    check(payload(lines))


@pytest.mark.parametrize("field", ["debit", "credit", "label"])
@given(st.data())
def test_one_text_that_does_not_fit_is_found_among_good_ones(field: str, data: st.DataObject) -> None:
    good = [{"debit": A, "credit": B, "amount": 1, "label": f"line-{number}"} for number in range(5)]
    good[data.draw(st.integers(0, 4))][field] = data.draw(labels if field == "label" else accounts)
    check(payload(good))


def test_a_text_cannot_lend_a_letter_to_its_neighbour() -> None:
    lines = [
        {"debit": A[:-1], "credit": B, "amount": 1, "label": "one"},
        {"debit": A[-1] + A, "credit": B, "amount": 1, "label": "two"},
    ]
    assert read_bulk(payload(lines)) is None


@pytest.mark.parametrize("count", [0, 1, BULK_LINES_MAX, BULK_LINES_MAX + 1])
def test_the_number_of_lines_has_the_same_bounds(count: int) -> None:
    check(payload([{"debit": A, "credit": B, "amount": 1, "label": f"{number}"} for number in range(count)]))


@pytest.mark.parametrize("others", [{"asset": "kzt"}, {"is_atomic": 1}, {"more": 1}, {"asset": None}])
def test_the_other_members_are_read_by_the_schema_itself(others: dict[str, object]) -> None:
    check(payload([{"debit": A, "credit": B, "amount": 1, "label": "one"}], **others))


def test_members_of_a_line_are_those_of_the_schema() -> None:
    line = {"debit": A, "credit": B, "amount": 1, "label": "one"}
    for changed in (line | {"more": 1}, {name: line[name] for name in ("debit", "credit", "amount")}):
        assert read_bulk(payload([changed])) is None
    assert Line(debit=A, credit=B, amount=1, label="one") == canonical.decode(canonical.encode(line), Line)


@pytest.mark.parametrize("spoil", [b" ", b"\xff", b"{"])
def test_bytes_that_are_no_canonical_payload_are_left_to_the_schema(spoil: bytes) -> None:
    data = payload([{"debit": A, "credit": B, "amount": 1, "label": "one"}])
    assert read_bulk(data) is not None
    assert read_bulk(data + spoil) is None
