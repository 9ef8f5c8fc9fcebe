"""The quota of a miner, read over HTTP by the miner itself and by those who watch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.model.outcome import Outcome
from tests.book import Book
from tests.settlement import market
from tests.wallet_api.door import JOSE, Door, code_of, make_folder, open_door


@pytest.fixture(scope="module")
def exchange_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A node that went through the morning of a trading day, a report of the pool and a sale."""
    sent: list[tuple[int, bytes]] = []
    decide = Book.decide

    def decide_and_keep(book: Book, raw: bytes) -> Outcome:
        outcome = decide(book, raw)
        sent.append((book.time_us, raw))
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Book, "decide", decide_and_keep)
        book = market.market()
        market.accepted(market.report(book, market.row()))
        market.accepted(market.settle(book))
    folder: Path = tmp_path_factory.mktemp("exchange") / "node"
    make_folder(folder, book.document)
    with open_door(folder) as opened:
        for time_us, raw in sent:
            if opened.parts.now_us() < time_us:
                assert opened.client.post("/sandbox/v1/clock", json={"set_us": time_us}).status_code == 200
            assert opened.client.post("/v1/transactions", content=raw, headers=JOSE).status_code in {201, 422}
        yield opened


@pytest.mark.parametrize("reader", ["miner-one", "auditor"])
def test_a_quota_is_read_by_the_miner_itself_and_by_those_who_watch(exchange_door: Door, reader: str) -> None:
    answer = exchange_door.get("/v1/quota/miner-one", by=reader, coin="BTC")
    assert answer.status_code == 200, answer.text
    assert answer.json()["includes_sequence"] == exchange_door.size - 1
    statement = answer.json()["statement"]
    assert (statement["miner"], statement["coin"]) == ("miner-one", "BTC")
    assert statement["sold"] > 0
    assert statement["lots"]


def test_a_quota_of_an_earlier_date_leaves_out_what_came_later(exchange_door: Door) -> None:
    answer = exchange_door.get("/v1/quota/miner-one", by="auditor", coin="BTC", as_of="2024-01-01")
    statement = answer.json()["statement"]
    assert (statement["as_of"], statement["sold"], statement["lots"]) == ("2024-01-01", 0, [])


@pytest.mark.parametrize("reader", ["aix-one", "pool-one", "miner-two"])
def test_a_quota_of_others_is_not_found(exchange_door: Door, reader: str) -> None:
    assert code_of(exchange_door.get("/v1/quota/miner-one", by=reader, coin="BTC")) == "not_found"
