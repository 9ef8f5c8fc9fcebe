"""Routes that read the registers, prices, lots, sales and energy: page by page, and each reader its own part."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.units import BusinessDate, TimestampUs
from settlement.model.parties import RelationKind
from settlement.rules.prices import CoinPrice, PriceCorrect, PricePublish
from settlement.rules.register_load import ExposureRow, PartyRow, PriceListRow, RelationRow
from tests.book import START_US, Book, wallet
from tests.settlement import market, power
from tests.settlement.market import BTC, accepted
from tests.wallet_api.busy_day import busy_day, power_day
from tests.wallet_api.door import Door, code_of
from tests.wallet_api.replayed import replayed_door


def read_day() -> Book:
    """The busy day, with a price list, a relation, a term of office, and a sale that waits."""
    book = busy_day()
    since = TimestampUs(START_US - market.YEAR_US)
    listed = PriceListRow(coin="BTC", from_us=since)
    related = RelationRow(party="miner-one", other="group:steppe", relation=RelationKind.GROUP, from_us=since)
    term = ExposureRow(party="miner-one", from_us=since, basis="decree-7")
    group = PartyRow(party="group:steppe", name=market.commitment("steppe"))
    accepted(power.load(book, listed, group, related, term))
    price = PricePublish(
        date=BusinessDate("2024-12-27"), source="committee", prices=(CoinPrice(coin="BTC", price=market.PRICE),)
    )
    accepted(book.submit("price_publish", price, by="ministry"))
    corrected = PriceCorrect(
        coin="BTC", date=BusinessDate("2024-12-27"), price=market.PRICE + 1, source="committee", reason="letter-2"
    )
    accepted(book.submit("price_correct", corrected, by="ministry"))
    return book


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("read") / "node", read_day) as opened:
        yield opened


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("powered") / "node", power_day) as opened:
        yield opened


def entries(door: Door, register: str, *, by: str = "miner-two", **params: Any) -> dict[str, Any]:
    answer = door.get(f"/v1/registers/{register}", by=by, **params)
    assert answer.status_code == 200, answer.text
    return {entry["subject"]: entry for entry in answer.json()["entries"]}


def test_every_participant_reads_a_register_as_of_a_moment(door: Door) -> None:
    now = entries(door, "exchange")
    assert {name: entry["status"] for name, entry in now.items()} == {"aix-one": "active", "aix-two": "active"}
    assert now["aix-one"]["facts"]["licence"] == "AFSA-aix-one"
    before = entries(door, "exchange", as_of_us=START_US - 2 * market.YEAR_US)
    assert "status" not in before["aix-one"]
    assert list(entries(door, "licence", subject="L-1")) == ["L-1"]
    assert entries(door, "licence", subject="L-9") == {}
    assert entries(door, "miner")["miner-one"]["facts"]["bin"] == market.BIN
    assert entries(door, "coin")["BTC"]["facts"]["scale"] == 8


@pytest.mark.parametrize("register", ["relation", "exposure", "party"])
def test_who_belongs_with_whom_is_for_those_that_look_for_sham_sales(door: Door, register: str) -> None:
    assert code_of(door.get(f"/v1/registers/{register}", by="miner-two")) == "not_found"
    assert code_of(door.get(f"/v1/registers/{register}", by="tax-authority")) == "not_found"
    assert door.get(f"/v1/registers/{register}", by="afm").status_code == 200


def test_relations_and_terms_are_those_of_the_moment(door: Door) -> None:
    related = entries(door, "relation", by="ministry")["miner-one"]["facts"]["relations"]
    assert related[0]["other"] == "group:steppe"
    assert entries(door, "exposure", by="afsa")["miner-one"]["facts"]["exposed"] == "in_office"
    long_ago = START_US - 2 * market.YEAR_US
    assert entries(door, "relation", by="ministry", as_of_us=long_ago) == {}
    assert entries(door, "exposure", by="ministry", as_of_us=long_ago) == {}


def test_a_register_is_read_page_by_page(door: Door) -> None:
    first = door.get("/v1/registers/exchange", by="bank-a", limit=1).json()
    second = door.get("/v1/registers/exchange", by="bank-a", limit=1, cursor=first["next_cursor"]).json()
    assert [page["entries"][0]["subject"] for page in (first, second)] == ["aix-one", "aix-two"]
    assert "next_cursor" not in second


def test_the_digest_of_all_registers_is_the_same_for_the_same_moment(door: Door) -> None:
    one, two = (door.get("/v1/registers", by=by, as_of_us=START_US).json() for by in ("bank-a", "ministry"))
    assert one["digest"] == two["digest"]
    assert one["rows"] > 3
    assert door.get("/v1/registers", by="bank-a").json()["digest"] != one["digest"]


@pytest.mark.parametrize("path", ["/v1/registers/nothing", "/v1/registers/exchange?limit=0"])
def test_a_register_that_is_none_is_refused(door: Door, path: str) -> None:
    answer = door.client.get(path, headers=door.bearer("bank-a"))
    assert code_of(answer) == "request_invalid"


def test_a_price_is_carried_over_days_without_work_with_its_history(door: Door) -> None:
    friday = door.get("/v1/prices/BTC/2024-12-27", by="miner-two").json()
    sunday = door.get("/v1/prices/BTC/2024-12-29", by="miner-two").json()
    assert friday["price"]["price"] == market.PRICE + 1
    assert "carried_from" not in friday["price"]
    assert sunday["price"]["carried_from"] == "2024-12-27"
    assert friday["superseded"] == sunday["superseded"]
    assert friday["superseded"][0]["reason"] == "letter-2"
    assert code_of(door.get("/v1/prices/BTC/2024-12-30", by="miner-two")) == "not_found"
    assert code_of(door.get("/v1/prices/BTC/2024-02-30", by="miner-two")) == "request_invalid"


LOTS = "/v1/miners/miner-one/lots"


def test_lots_come_page_by_page_and_with_values_for_who_reads_values(door: Door) -> None:
    first = door.get(LOTS, by="ministry", coin="BTC", limit=1).json()
    second = door.get(LOTS, by="ministry", coin="BTC", limit=1, cursor=first["next_cursor"]).json()
    lots = [*first["lots"], *second["lots"]]
    assert [lot["lot"] for lot in lots] == ["pool-one/1/1", "pool-one/1/2"]
    assert not any("value" in lot for lot in lots)
    assert all("value" in lot for lot in door.get(LOTS, by="tax-authority", coin="BTC").json()["lots"])
    assert door.get(LOTS, by="miner-one", coin="ETH").json()["lots"] == []


@pytest.mark.parametrize("reader", ["afsa", "afm", "miner-two", "aix-one"])
def test_lots_of_others_are_not_found(door: Door, reader: str) -> None:
    assert code_of(door.get(LOTS, by=reader, coin="BTC")) == "not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/miners/miner-two/lots?coin=BTC",
        "/v1/miners/miner-two/levy/2024-Q4",
        "/v1/quota/miner-two/what-if?coin=BTC&share_ppm=1",
        "/v1/quota/miner-one/what-if?coin=ETH&share_ppm=1",
        "/v1/exchanges/miner-one/instructions",
        "/v1/exchanges/miner-one/fails",
        "/v1/exchanges/miner-one/reconciliation",
        "/v1/surplus/west/2024-12-25",
    ],
)
def test_what_is_not_registered_is_not_found(door: Door, path: str) -> None:
    assert code_of(door.client.get(path, headers=door.bearer("auditor"))) == "not_found"


def test_a_levy_is_read_by_its_miner_and_the_tax_authority(powered: Door) -> None:
    for reader in ("miner-one", "tax-authority", "auditor"):
        statement = powered.get("/v1/miners/miner-one/levy/2024-Q4", by=reader).json()["statement"]
        assert statement["outstanding"] == 1_000_000 * 100 + 2_000 * 1_000 - 50_000_000
    for reader in ("ministry", "afsa", "miner-two"):
        assert code_of(powered.get("/v1/miners/miner-one/levy/2024-Q4", by=reader)) == "not_found"


def test_surplus_says_what_is_left(powered: Door) -> None:
    answer = powered.get("/v1/surplus/north_south/2024-12-25", by="miner-two").json()
    assert answer["offer"]["floor"] == 1_500
    assert answer["left_kwh"] == [900, *[1_000] * 23]


WHAT_IF = "/v1/quota/miner-one/what-if"


def test_a_what_if_says_what_another_rate_would_come_to(door: Door) -> None:
    statement = door.get("/v1/quota/miner-one", by="ministry", coin="BTC").json()["statement"]
    for reader in ("miner-one", "ministry"):
        answer = door.get(WHAT_IF, by=reader, coin="BTC", share_ppm=900_000).json()["what_if"]
        assert "Not a statement" in answer.get("note", "Not a statement")
        assert answer["statement"]["obligation"] == statement["produced"] * 9 // 10
    later = door.get(
        WHAT_IF, by="ministry", coin="BTC", share_ppm=900_000, valid_from="2025-06-01", as_of="2024-12-31"
    ).json()["what_if"]
    assert later["statement"]["obligation"] == statement["obligation"]
    assert [policy["policy"] for policy in later["policies"]] == ["P24", "P25", "what-if"]
    assert code_of(door.get(WHAT_IF, by="afsa", coin="BTC", share_ppm=1)) == "not_found"
    assert code_of(door.get(WHAT_IF, by="ministry", coin="BTC", share_ppm=1_000_001)) == "request_invalid"


VENUE = "/v1/exchanges/aix-one"


def test_instructed_sales_are_read_without_their_mandates(door: Door) -> None:
    answer = door.get(f"{VENUE}/instructions", by="afsa")
    assert [row["trade"] for row in answer.json()["instructions"]] == ["T-1", "T-2"]
    assert "mandate" not in answer.text
    failed = door.get(f"{VENUE}/instructions", by="aix-one", status="failed").json()["instructions"]
    assert [row["trade"] for row in failed] == ["T-2"]
    page = door.get(f"{VENUE}/instructions", by="aix-one", limit=1).json()
    assert page["next_cursor"] == "T-1"


def test_fails_and_the_standing_of_assets_are_read_by_the_exchange_and_its_watchers(door: Door) -> None:
    for reader in ("aix-one", "afsa", "auditor"):
        (fail,) = door.get(f"{VENUE}/fails", by=reader).json()["fails"]
        assert (fail["trade"], fail["quantity"]) == ("T-2", BTC // 1_000)
        standing = door.get(f"{VENUE}/reconciliation", by=reader).json()
        assert {each["asset"]: each["coverage"] for each in standing["assets"]} == {
            "BTC:aix-one": [20, 3],
            "KZT": [1, 1],
        }
        assert standing["order"]["order"] == "AFSA-1"
    assert "order" not in door.get("/v1/exchanges/aix-two/reconciliation", by="afsa").json()


@pytest.mark.parametrize("what", ["instructions", "fails", "reconciliation"])
@pytest.mark.parametrize("reader", ["ministry", "tax-authority", "afm", "aix-two", "miner-one"])
def test_an_exchange_is_nothing_to_all_others(door: Door, what: str, reader: str) -> None:
    assert code_of(door.get(f"{VENUE}/{what}", by=reader)) == "not_found"


def test_accounts_at_exchanges_are_open_to_who_watches_clients_property(door: Door) -> None:
    client, bank = market.account("AKZT"), wallet("601", 1)
    assert door.get(f"/v1/accounts/{client}", by="afsa").status_code == 200
    assert code_of(door.get(f"/v1/accounts/{bank}", by="afsa")) == "not_found"
    for account in (client, bank):
        assert door.get(f"/v1/accounts/{account}", by="afm").status_code == 200
        assert code_of(door.get(f"/v1/accounts/{account}", by="ministry")) == "not_found"
