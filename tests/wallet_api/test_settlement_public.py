"""What needs no token: figures over all firms, once a day, and the roots that clients check against."""

import threading
from collections.abc import Iterator

import msgspec
import pytest

from settlement.model.liabilities import Published
from settlement.solvency import verify_inclusion
from settlement.views.public_figures import FIRMS_MIN
from tests.settlement.market import BTC
from tests.wallet_api.busy_day import TREE, busy_day
from tests.wallet_api.door import Door, code_of
from tests.wallet_api.replayed import replayed_door


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("public") / "node", busy_day) as opened:
        yield opened


def test_anybody_reads_the_figures_and_may_keep_them(busy: Door) -> None:
    answer = busy.get("/v1/public")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    figures = answer.json()
    assert (figures["as_of"], figures["exchanges"]) == ("2024-12-30", 2)
    assert "miner-one" not in answer.text
    assert "aix-one" not in answer.text


@pytest.mark.parametrize("path", ["/public", "/v1/public?format=html"])
def test_the_page_names_the_least_number_of_firms(busy: Door, path: str) -> None:
    answer = busy.client.get(path)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"fewer than {FIRMS_MIN} firms" in answer.text
    assert "withheld" in answer.text
    assert "<script" not in answer.text


def test_the_figures_come_as_a_table_too(busy: Door) -> None:
    answer = busy.get("/v1/public", format="csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "coins,BTC,withheld,withheld" in answer.text


def test_the_figures_are_made_once_a_day(busy: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    first = busy.parts.public.published()
    monkeypatch.setattr("wallet_api.public_page.public_figures", lambda _view: pytest.fail("made twice"))
    threads = [threading.Thread(target=busy.parts.public.published) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert busy.parts.public.published() is first


def test_a_client_checks_its_balance_against_the_root_without_a_token(busy: Door) -> None:
    answer = busy.get("/v1/exchanges/aix-one/liabilities/BTC:aix-one").json()
    published = msgspec.convert(answer["published"], Published)

    verify_inclusion(TREE.proof("client-b"), published, client="client-b", balance=5 * BTC)
    assert answer["includes_sequence"] == busy.size - 1


@pytest.mark.parametrize("path", ["aix-two/liabilities/BTC:aix-two", "nobody/liabilities/KZT"])
def test_a_root_that_nobody_published_is_not_found(busy: Door, path: str) -> None:
    assert code_of(busy.get(f"/v1/exchanges/{path}")) == "not_found"
