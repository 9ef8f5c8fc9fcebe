"""A document on paper: exact amounts, nothing that a browser runs or a spreadsheet computes."""

import csv
import io
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.state import Table
from ledger.units import ParticipantId
from settlement.model.registers import Activity
from settlement.rules.register_load import PermissionRow
from settlement.views.exchange_statement import permissions_of
from settlement.views.steady import Steady
from tests.book import START_US
from tests.settlement import market, power
from tests.settlement.market import accepted
from wallet_api.statements.csv_form import to_csv
from wallet_api.statements.document import NARROW_SPACE, Amount, Document, Share, Sheet, columns
from wallet_api.statements.html_form import to_html


@pytest.mark.parametrize(
    ("amount", "plain", "grouped"),
    [
        (Amount(0), "0.00", "0.00"),
        (Amount(5), "0.05", "0.05"),
        (Amount(-5), "-0.05", "-0.05"),
        (Amount(123_456_789), "1234567.89", "1 234 567.89"),
        (Amount(-123_456_789), "-1234567.89", "-1 234 567.89"),
        (Amount(1, 8), "0.00000001", "0.00000001"),
        (Amount(1_234, 0), "1234", "1 234"),
    ],
)
def test_an_amount_is_exact_and_readable(amount: Amount, plain: str, grouped: str) -> None:
    assert amount.plain() == plain
    assert amount.grouped() == grouped.replace(" ", NARROW_SPACE)


@given(st.integers(-(10**18), 10**18), st.integers(0, 8))
def test_an_amount_reads_back_as_what_it_was(units: int, scale: int) -> None:
    assert Fraction(Amount(units, scale).plain()) == Fraction(units, 10**scale)
    assert Amount(units, scale).grouped().replace(NARROW_SPACE, "") == Amount(units, scale).plain()


@pytest.mark.parametrize(
    ("share", "text"), [(Fraction(2, 3), "66.66"), (Fraction(1), "100.00"), (Fraction(0), "0.00"), (None, "")]
)
def test_a_share_is_rounded_down(share: Fraction | None, text: str) -> None:
    assert Share(share).plain() == text


def paper(text: str) -> Document:
    sheet = Sheet("a table", text, columns("name", "#sum", "#share"), [(text, Amount(100), Share(None))], note=text)
    return Document(title=text, facts=((text, text),), sheets=(sheet, Sheet("none", text, (), ())), notes=(text,))


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a & b", "'"])
def test_no_text_becomes_markup(text: str) -> None:
    page = to_html(paper(text)).decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "a & b" not in page
    assert page.count('id="a-table"') == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_text_becomes_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(paper(text)).decode())))
    cells = [cell for row in rows[1:] for cell in row]
    assert text not in cells
    assert f"'{text}" in cells


@pytest.mark.parametrize("text", ['a,"b"', "line\nline", "Дала; Майнинг"])
def test_a_text_reads_back_from_csv_as_it_was(text: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(paper(text)).decode(), newline="")))
    assert ["statement", "title", text] in rows
    assert ["a table", text, "1.00", ""] in rows


NUMBERS = Table[int]("numbers", int)


class Growing:
    """A view whose table grows while it is listed, once."""

    def __init__(self) -> None:
        self.rows = {"a": 1}
        self.listings = 0

    def get(self, _table: object, key: str) -> int | None:
        return self.rows.get(key)

    def get_many(self, _table: object, keys: set[str]) -> dict[str, int]:
        return {key: self.rows[key] for key in keys & self.rows.keys()}

    def items(self, _table: object) -> Iterator[tuple[str, int]]:
        self.listings += 1
        for row in self.rows.items():
            if self.listings == 1:
                self.rows["b"] = 2
            yield row

    def group(self, _table: object, name: str) -> Iterator[tuple[str, int]]:
        return (row for row in self.items(_table) if row[0] == name)

    def seen(self, _key: bytes, _time_us: int) -> None:
        return None


def test_a_table_that_grows_while_it_is_listed_is_listed_again_and_then_stays() -> None:
    growing = Growing()
    view = Steady(growing)  # type: ignore[arg-type]
    assert dict(view.items(NUMBERS)) == {"a": 1, "b": 2}
    growing.rows["c"] = 3
    assert dict(view.items(NUMBERS)) == {"a": 1, "b": 2}
    assert growing.listings == 2
    assert list(view.group(NUMBERS, "c")) == [("c", 3)]
    growing.rows["c"] = 4
    assert list(view.group(NUMBERS, "c")) == [("c", 3)]
    assert view.get(NUMBERS, "c") == 4
    assert view.get_many(NUMBERS, {"a", "x"}) == {"a": 1}
    assert view.seen(b"", 0) is None  # type: ignore[arg-type]


def test_permissions_of_an_exchange_stand_in_its_statement() -> None:
    book = market.registered_market()
    row = PermissionRow(
        permission="AFSA-1-T",
        exchange=ParticipantId("aix-one"),
        activity=Activity.TRADING_FACILITY,
        from_us=START_US,  # type: ignore[arg-type]
    )
    accepted(power.load(book, row))
    (held,) = permissions_of(book.state, ParticipantId("aix-one"))
    assert (held.permission, held.activity) == ("AFSA-1-T", Activity.TRADING_FACILITY)
