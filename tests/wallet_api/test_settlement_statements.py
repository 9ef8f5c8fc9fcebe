"""Statements of miners: three forms of one document, and to each reader the parts of its own task."""

import csv
import io
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from ledger.log.block_store import StoreBroken
from tests.book import Book
from tests.settlement import market
from tests.wallet_api.busy_day import TREE, busy_day, power_day
from tests.wallet_api.door import Door, code_of
from tests.wallet_api.replayed import register_authorities, replayed_door
from wallet_api.statements.html_form import SECURITY_POLICY

PATH = "/v1/miners/miner-one/statement"


def trading_day() -> Book:
    book = market.market()
    register_authorities(book)
    market.accepted(market.report(book, market.row()))
    market.accepted(market.settle(book, trade="T-1"))
    return book


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("trading") / "node", trading_day) as opened:
        yield opened


def statement(door: Door, by: str, **params: Any) -> dict[str, Any]:
    answer = door.get(PATH, by=by, **params)
    assert answer.status_code == 200, answer.text
    assert answer.json()["includes_sequence"] == door.size - 1
    found: dict[str, Any] = answer.json()["statement"]
    return found


@pytest.mark.parametrize(
    ("reader", "parts"),
    [
        ("miner-one", ["levy", "quota", "value"]),
        ("auditor", ["levy", "quota", "value"]),
        ("ministry", ["quota"]),
        ("tax-authority", ["levy", "value"]),
    ],
)
def test_each_reader_gets_its_parts_and_no_others(trading: Door, reader: str, parts: list[str]) -> None:
    found = statement(trading, reader)
    (coin,) = found["coins"]

    assert found["parts"] == parts
    assert ("quota" in coin) is ("quota" in parts)
    assert ("value" in coin) is ("value" in parts)
    assert ("value" in coin["lots"][0]) is ("value" in parts)
    assert bool(found.get("levy")) is ("levy" in parts)


@pytest.mark.parametrize("reader", ["afsa", "afm", "nobody", "aix-one", "pool-one", "miner-two"])
def test_to_all_others_there_is_no_such_miner(trading: Door, reader: str) -> None:
    assert code_of(trading.get(PATH, by=reader)) == "not_found"
    assert code_of(trading.get("/v1/miners/nobody-at-all/statement", by=reader)) == "not_found"


@pytest.mark.parametrize("miner", ["aix-one", "nobody-at-all"])
def test_who_is_no_miner_has_no_statement(trading: Door, miner: str) -> None:
    assert code_of(trading.get(f"/v1/miners/{miner}/statement", by="auditor")) == "not_found"


def test_a_statement_says_what_was_produced_sold_and_owed(trading: Door) -> None:
    found = statement(trading, "miner-one")
    (coin,) = found["coins"]

    assert (coin["coin"], coin["scale"], coin["produced"]) == ("BTC", 8, market.BTC)
    assert coin["quota"]["obligation"] == market.BTC // 2
    assert coin["quota"]["counted"] == market.BTC // 100
    assert {basis["basis"] for basis in coin["quota"]["bases"]} == {"quantity_per_coin", "value_at_receipt"}
    assert coin["value"]["sales"][0]["claim"] == "aix-one/T-1"
    assert (coin["value"]["sold_for"], coin["value"]["fees"]) == (48_775_361, 97_550)
    assert found["licences"][0]["licence"] == "L-1"
    assert found["is_basis_assumed"]
    assert all("assumed" in note or "as far as is known" in note for note in found["notes"])


def test_dates_leave_out_what_lies_outside(trading: Door) -> None:
    found = statement(trading, "miner-one", **{"from": "2024-12-24"})
    (coin,) = found["coins"]
    assert (coin["produced"], coin["lots"], len(coin["value"]["sales"])) == (0, [], 1)
    assert coin["quota"]["produced"] == market.BTC, "a duty does not begin anew"
    earlier = statement(trading, "miner-one", until="2024-01-31")
    assert (earlier["coins"][0]["lots"], earlier["coins"][0]["value"]["sales"]) == ([], [])


@pytest.mark.parametrize(
    "params", [{"from": "2024-12-27", "until": "2024-12-26"}, {"from": "2024-02-30"}, {"until": "2023-02-29"}]
)
def test_dates_that_are_none_are_refused(trading: Door, params: dict[str, str]) -> None:
    assert code_of(trading.get(PATH, by="miner-one", **params)) == "request_invalid"


class Page(HTMLParser):
    """What a page holds: its tags, attributes that lead elsewhere, cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.leads: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.leads += [name for name, _ in attrs if name in {"src", "href", "action", "onclick", "onload"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("ask", [{"params": {"format": "html"}}, {"accept": "text/html,application/xhtml+xml;q=0.9"}])
def test_a_page_to_print_needs_nothing_else(trading: Door, ask: dict[str, Any]) -> None:
    headers = trading.bearer("miner-one") | ({"accept": ask["accept"]} if "accept" in ask else {})
    answer = trading.client.get(PATH, params=ask.get("params"), headers=headers)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers.get_list("content-security-policy") == [SECURITY_POLICY]
    assert answer.headers["vary"] == "accept"
    page = Page(answer.text)
    assert not page.tags & {"script", "img", "link", "iframe", "object", "form", "a"}
    assert page.leads == []
    assert "@media print" in answer.text
    text = " ".join(page.text)
    assert "487\u202f753.61" in text
    assert "aix-one/T-1" in text
    assert "assumed" in text


@pytest.mark.parametrize("ask", [{"params": {"format": "csv"}}, {"accept": "text/csv"}])
def test_a_table_for_spreadsheets_says_the_same(trading: Door, ask: dict[str, Any]) -> None:
    headers = trading.bearer("miner-one") | ({"accept": ask["accept"]} if "accept" in ask else {})
    answer = trading.client.get(PATH, params=ask.get("params"), headers=headers)

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].endswith('.csv"')
    rows = list(csv.reader(io.StringIO(answer.text)))
    tables = {row[0] for row in rows}
    assert {"statement", "lots BTC", "quota BTC", "readings BTC", "claims BTC", "value BTC", "sales BTC"} <= tables
    (sale,) = [row for row in rows if row[0] == "sales BTC"][1:]
    assert sale[1] == "aix-one/T-1"
    assert sale[3:7] == ["0.01000000", "0.00000000", "48775361.66", "487753.61"]


def test_without_a_wish_the_answer_is_json_and_an_unknown_form_is_refused(trading: Door) -> None:
    headers = trading.bearer("miner-one")
    for accept in ("*/*", "application/xml", "application/json, text/html"):
        answer = trading.client.get(PATH, headers=headers | {"accept": accept})
        assert answer.headers["content-type"] == "application/json"
    assert code_of(trading.get(PATH, by="miner-one", format="pdf")) == "request_invalid"


EXCHANGE = "/v1/exchanges/aix-one/statement"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("busy") / "node", busy_day) as opened:
        yield opened


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("powered") / "node", power_day) as opened:
        yield opened


def of_exchange(door: Door, by: str, **params: Any) -> dict[str, Any]:
    answer = door.get(EXCHANGE, by=by, **params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["statement"]
    return found


SECTIONS = {"venue", "client_assets", "reconciliation", "tenge", "cases"}


@pytest.mark.parametrize(
    ("reader", "parts"),
    [
        ("aix-one", SECTIONS),
        ("auditor", SECTIONS),
        ("afsa", {"venue", "client_assets", "reconciliation"}),
        ("afm", {"cases"}),
    ],
)
def test_each_reader_gets_its_parts_of_an_exchange(busy: Door, reader: str, parts: set[str]) -> None:
    found = of_exchange(busy, reader)
    assert set(found["parts"]) == parts
    assert found.keys() & SECTIONS == parts


@pytest.mark.parametrize("reader", ["ministry", "tax-authority", "nobody", "aix-two", "miner-one", "bank-a"])
def test_to_all_others_there_is_no_such_exchange(busy: Door, reader: str) -> None:
    assert code_of(busy.get(EXCHANGE, by=reader)) == "not_found"


def test_who_is_no_exchange_has_no_statement(busy: Door) -> None:
    assert code_of(busy.get("/v1/exchanges/miner-one/statement", by="auditor")) == "not_found"


def test_a_statement_has_every_sale_and_what_became_of_it(busy: Door) -> None:
    venue = of_exchange(busy, "aix-one")["venue"]
    at_once, instructed = venue["trades"]

    assert (at_once["trade"], at_once["amount"], at_once["fee"]) == ("T-0", 4_877_536, 9_755)
    assert instructed["trade"] == "T-1"
    assert instructed["undone"] == market.BTC // 4_000
    assert instructed["returned"] > 0
    (total,) = venue["totals"]
    assert (total["trades"], total["quantity"]) == (2, market.BTC // 500)
    (fail,) = venue["fails"]
    assert (fail["trade"], fail["settlement_date"]) == ("T-2", "2024-12-27")
    assert fail["age_days"] == 2


def test_a_statement_has_coverage_day_by_day_and_the_days_without(busy: Door) -> None:
    history = of_exchange(busy, "afsa")["reconciliation"]
    days = {day["asset"]: day for day in history["days"]}

    assert days["KZT"]["coverage"] == [1, 1]
    assert days["BTC:aix-one"]["coverage"] == [20, 3]
    assert {day["result"] for day in history["days"]} == {"balanced"}
    assert [(day["date"], day["asset"]) for day in history["missed"]] == [
        ("2024-12-30", "BTC:aix-one"),
        ("2024-12-30", "KZT"),
    ]
    (root,) = history["roots"]
    assert root["root"] == TREE.published().root
    assert (root["total"], root["leaves"]) == (15 * market.BTC, 2)
    assert history["order"]["order"] == "AFSA-1"


def test_a_statement_has_what_is_owed_and_what_went_to_affiliates(busy: Door) -> None:
    assets = of_exchange(busy, "afsa")["client_assets"]
    owed = {each["asset"]: each for each in assets["owed"]}

    assert owed["BTC:aix-one"]["owed"] == 15 * market.BTC
    assert owed["BTC:aix-one"]["attested"] == 100 * market.BTC
    paid = [flow for flow in assets["flows"] if flow["is_paid"]]
    assert [(flow["asset"], flow["amount"]) for flow in paid] == [("KZT", 300_000)]
    assert {each["days"]: each["net"] for each in assets["exposures"]} == {30: 300_000}, "a week has passed"
    that_day = of_exchange(busy, "afsa", until="2024-12-24")["client_assets"]["exposures"]
    assert {each["days"]: each["net"] for each in that_day} == {1: 300_000, 7: 300_000, 30: 300_000}


def test_the_central_bank_sees_tenge_and_the_agency_sees_cases(busy: Door) -> None:
    (day,) = of_exchange(busy, "aix-one")["tenge"]
    assert (day["date"], day["trades"]) == ("2024-12-24", 2)
    (doubt,) = of_exchange(busy, "afm")["cases"]
    assert (doubt["claim"], doubt["miner"]) == ("aix-one/T-0", "miner-one")
    assert doubt["flags"][0]["reason"] == "wash_round_trip"


def test_a_period_without_anything_is_empty(busy: Door) -> None:
    found = of_exchange(busy, "aix-one", until="2024-12-01")
    assert found["venue"]["trades"] == found["venue"]["fails"] == found["tenge"] == found["cases"] == []
    assert found["reconciliation"]["days"] == found["reconciliation"]["missed"] == []
    assert found["client_assets"]["flows"] == found["client_assets"]["exposures"] == []


@pytest.mark.parametrize("form", ["html", "csv"])
@pytest.mark.parametrize("path", [EXCHANGE, PATH])
def test_both_papers_of_a_busy_day_have_every_table(busy: Door, form: str, path: str) -> None:
    answer = busy.get(path, by="auditor", format=form)
    assert answer.status_code == 200, answer.text
    names = {
        EXCHANGE: {"trades", "fails", "reconciliations", "missed", "liabilities", "owed", "flows", "cases", "tenge"},
        PATH: {"lots BTC", "duties BTC", "policies BTC", "levy 2024-Q4"},
    }[path]
    shown = {f'id="{name.replace(" ", "-")}"' if form == "html" else f"\n{name}," for name in names}
    assert not {name for name in shown if name not in answer.text}


def test_blocks_that_cannot_be_read_are_a_problem_that_passes(busy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_height: int) -> None:
        raise StoreBroken("no")

    monkeypatch.setattr(busy.parts.blocks, "read", fails)
    assert code_of(busy.get(EXCHANGE, by="aix-one")) == "store_unavailable"


def test_a_history_of_too_many_transactions_asks_for_fewer_dates(busy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_api.routes.settlement_statements.HISTORY_ROWS_MAX", 3)
    assert code_of(busy.get(EXCHANGE, by="aix-one")) == "request_invalid"


@pytest.mark.parametrize(
    ("params", "quarters"),
    [
        ({}, ["2024-Q4"]),
        ({"until": "2024-12-31"}, ["2024-Q4"]),
        ({"from": "2024-01-01", "until": "2024-03-31"}, ["2024-Q1"]),
        ({"until": "2025-04-01"}, ["2024-Q4", "2025-Q2"]),
    ],
)
def test_a_statement_has_the_quarters_with_energy_and_the_last_one(
    powered: Door, params: dict[str, str], quarters: list[str]
) -> None:
    found = statement(powered, "tax-authority", **params)
    assert [levy["quarter"] for levy in found["levy"]] == quarters


TAX = "/v1/miners/miner-one/tax-pack/2024-Q4"


@pytest.mark.parametrize("reader", ["miner-one", "tax-authority", "auditor"])
def test_a_tax_pack_has_values_levy_and_calendar(powered: Door, reader: str) -> None:
    pack = powered.get(TAX, by=reader).json()["pack"]

    assert (pack["from_date"], pack["until_date"]) == ("2024-10-01", "2024-12-31")
    assert pack["levy"]["levy"] == 1_000_000 * 100 + 2_000 * 1_000
    assert pack["levy"]["paid"] == 50_000_000
    assert [(line["what"], line["due"]["nominal"]) for line in pack["calendar"]] == [
        ("levy-declaration", "2025-02-15"),
        ("levy-payment", "2025-02-25"),
    ]
    assert pack["calendar"][0]["due"]["shifted"] == "2025-02-17", "the 15th is a Saturday"


@pytest.mark.parametrize("reader", ["ministry", "afsa", "miner-two", "nobody"])
def test_to_all_others_there_is_no_tax_pack(powered: Door, reader: str) -> None:
    assert code_of(powered.get(TAX, by=reader)) == "not_found"


@pytest.mark.parametrize(("path", "code"), [("2024-Q5", "request_invalid"), ("2021-Q4", None), ("1999-Q1", None)])
def test_a_quarter_without_a_levy_has_no_dates(powered: Door, path: str, code: str | None) -> None:
    answer = powered.get(f"/v1/miners/miner-one/tax-pack/{path}", by="miner-one")
    if code is not None:
        assert code_of(answer) == code
        return
    assert answer.json()["pack"]["calendar"] == []


@pytest.mark.parametrize("form", ["html", "csv"])
def test_a_tax_pack_is_printed(powered: Door, busy: Door, form: str) -> None:
    text = powered.get(TAX, by="miner-one", format=form).text
    assert "levy-payment" in text
    assert "2025-02-17" in text
    assert "own" in text
    assert "Production of BTC" in busy.get(TAX, by="miner-one", format="html").text
    assert "\nlots BTC," in busy.get(TAX, by="miner-one", format="csv").text
