"""Reading: each participant its own, supervisor and auditor everything, and always how much is included."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.log.receipts import Receipt
from ledger.model.assets import TENGE
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.day_close import DayClose
from ledger.units import BusinessDate
from ledger.views.answers import ViewsBehind
from tests.book import START_US, own_account, reference_at, wallet
from tests.wallet_api.door import BANK_A, BANK_B, WALLET_A, Door, code_of, open_door

NEEDS_TOKEN = [
    "/v1/transactions/" + "A" * 43,
    "/v1/transactions?reference=" + reference_at(START_US, 1),
    f"/v1/accounts/{BANK_A}",
    f"/v1/accounts/{BANK_A}/statement",
    "/v1/participants",
    "/v1/participants/bank-a",
    "/v1/supply",
    "/v1/days",
    "/v1/transactions/" + "A" * 43 + "/refusals",
    "/v1/quota/miner-one?coin=BTC",
]


def accepted(door: Door, raw: bytes) -> Receipt:
    answer = door.post(raw)
    assert answer.status_code == 201, answer.text
    return msgspec.json.decode(answer.content, type=Receipt)


@pytest.mark.parametrize("path", NEEDS_TOKEN)
def test_reading_needs_a_token(door: Door, path: str) -> None:
    missing = door.client.get(path)
    assert (missing.status_code, code_of(missing)) == (401, "token_missing")
    assert missing.headers["www-authenticate"].startswith("Bearer")
    wrong = door.client.get(path, headers={"authorization": "Bearer " + "x" * 43})
    assert (wrong.status_code, code_of(wrong)) == (401, "token_invalid")


def test_an_account_shows_its_balance_and_what_it_includes(door: Door) -> None:
    before = door.get(f"/v1/accounts/{WALLET_A}", by="bank-a").json()
    receipt = accepted(door, door.transfer(70, credit=WALLET_A))
    after = door.get(f"/v1/accounts/{WALLET_A}", by="bank-a").json()
    assert after["balance"] == before["balance"] + 70
    assert after["includes_sequence"] >= receipt.sequence
    assert after | {"balance": 0, "includes_sequence": 0} == {
        "account": WALLET_A,
        "account_class": "wallet",
        "asset": "KZT",
        "balance": 0,
        "holder": "holder-1",
        "includes_sequence": 0,
        "owner": "bank-a",
        "status": "open",
    }


@pytest.mark.parametrize("suffix", ["", "/statement"])
def test_an_account_of_others_and_none_at_all_answer_alike(door: Door, suffix: str) -> None:
    theirs = door.get(f"/v1/accounts/{BANK_B}{suffix}", by="bank-a")
    nobodys = door.get(f"/v1/accounts/{own_account('603')}{suffix}", by="bank-a")
    assert theirs.status_code == nobodys.status_code == 404
    assert code_of(theirs) == code_of(nobodys) == "not_found"
    assert theirs.json()["detail"] == nobodys.json()["detail"]
    assert door.get(f"/v1/accounts/{BANK_B}{suffix}", by="bank-b").status_code == 200
    assert door.get(f"/v1/accounts/{BANK_B}{suffix}", by="supervisor").status_code == 200


def test_a_statement_pages_through_every_posting_with_its_balance(door: Door) -> None:
    account = wallet("602", 2)
    receipts = [accepted(door, door.transfer(amount, credit=account)) for amount in (1, 10, 100)]
    last = receipts[-1].sequence
    path = f"/v1/accounts/{account}/statement"
    first = door.get(path, by="bank-b", limit=2, min_sequence=last).json()
    assert first["includes_sequence"] >= last
    assert [(line["amount"], line["balance"], line["side"]) for line in first["lines"]] == [
        (100, 111, "credit"),
        (10, 11, "credit"),
    ]
    assert [line["transaction_id"] for line in first["lines"]] == [
        receipt.transaction_id for receipt in reversed(receipts[1:])
    ]
    second = door.get(path, by="bank-b", limit=2, cursor=first["next_cursor"]).json()
    assert [line["amount"] for line in second["lines"]] == [1]
    assert "next_cursor" not in second
    oldest = door.get(path, by="bank-b", is_oldest_first="true").json()
    assert [line["amount"] for line in oldest["lines"]] == [1, 10, 100]


def test_a_statement_shows_the_reference_to_its_sender_only(door: Door) -> None:
    receipt = accepted(door, door.transfer(9))
    payer = door.get(f"/v1/accounts/{BANK_A}/statement", by="bank-a", min_sequence=receipt.sequence, limit=1).json()
    payee = door.get(f"/v1/accounts/{BANK_B}/statement", by="bank-b", min_sequence=receipt.sequence, limit=1).json()
    assert payer["lines"][0]["reference"] == receipt.reference
    assert "reference" not in payee["lines"][0]
    assert payee["lines"][0]["participant"] == "bank-a"


def test_a_transaction_is_found_by_id_and_by_reference_with_the_receipt_its_sender_got(door: Door) -> None:
    for amount in (8, 10**15):
        sent = door.post(door.transfer(amount)).json()
        receipt = sent.get("receipt", sent)
        by_id = door.get(
            f"/v1/transactions/{receipt['transaction_id']}", by="bank-a", min_sequence=receipt["sequence"]
        ).json()
        by_reference = door.get("/v1/transactions", by="bank-a", reference=receipt["reference"]).json()
        assert by_id["receipt"] == by_reference["receipt"] == receipt
        assert by_id["business_date"] == "2024-12-24"


def test_a_transaction_of_others_is_not_found(door: Door) -> None:
    receipt = accepted(door, door.transfer(6))
    path, sequence = f"/v1/transactions/{receipt.transaction_id}", receipt.sequence
    assert code_of(door.get(path, by="bank-b", min_sequence=sequence)) == "not_found"
    assert code_of(door.get("/v1/transactions", by="bank-b", reference=receipt.reference)) == "not_found"
    asked: dict[str, Any] = {"reference": receipt.reference, "participant": "bank-a"}
    assert code_of(door.get("/v1/transactions", by="bank-b", **asked)) == "not_found"
    assert door.get(path, by="supervisor").status_code == 200
    assert door.get("/v1/transactions", by="supervisor", **asked).status_code == 200


def test_every_participant_reads_who_takes_part_and_their_public_keys(door: Door) -> None:
    answer = door.get("/v1/participants", by="bank-b", min_sequence=door.size - 1).json()
    assert [each["participant"] for each in answer["participants"]] == [
        "bank-a",
        "bank-b",
        "central-bank",
        "operator",
        "supervisor",
    ]
    one = door.get("/v1/participants/bank-a", by="bank-b").json()
    assert one["participant"] == answer["participants"][0]
    assert {key["use"] for key in one["keys"]} == {"transaction", "client_authentication"}
    assert code_of(door.get("/v1/participants/bank-z", by="bank-b")) == "not_found"


def test_every_participant_reads_the_supply(door: Door) -> None:
    answer = door.get("/v1/supply", by="bank-b", min_sequence=door.size - 1).json()
    (tenge,) = answer["assets"]
    assert (tenge["asset"], tenge["scale"], tenge["redeemed"]) == ("KZT", 2, 0)
    assert tenge["in_circulation"] == tenge["issued"] >= 100_000_000


def test_every_participant_reads_the_closed_days(tmp_path: Path) -> None:
    with open_door(tmp_path / "node") as door:
        door.populate()
        for closes, opens in (("2024-12-24", "2024-12-25"), ("2024-12-25", "2024-12-26")):
            body = DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens))
            accepted(door, door.signed("day_close", body, by="operator", signers=("operator-1", "operator-2")))
        newest, oldest = door.get("/v1/days", by="bank-b", min_sequence=door.size - 1).json()["days"]
        assert (newest["business_date"], oldest["opens"]) == ("2024-12-25", "2024-12-25")
        assert oldest["supply"] == [{"asset": "KZT", "issued": 100_000_000, "redeemed": 0}]
        assert oldest["trial_balance"]["KZT"]["own"] == {"accounts": 2, "sum": 100_000_000}
        assert door.get("/v1/days", by="bank-b", before="2024-12-25").json()["days"] == [oldest]
        assert door.get("/v1/days", by="bank-b", limit=1).json()["days"] == [newest]
        assert code_of(door.get("/v1/days", by="bank-b", limit=0)) == "request_invalid"


def test_the_refused_lines_of_a_bulk_are_read_by_its_sender(door: Door) -> None:
    lines = tuple(
        Line(debit=debit, credit=WALLET_A, amount=amount, label=f"line-{number}")
        for number, (debit, amount) in enumerate([(BANK_A, 1), (BANK_A, 10**15), (BANK_A, 2)])
    )
    receipt = accepted(
        door, door.signed("bulk_transfer", BulkTransfer(asset=TENGE, is_atomic=False, lines=lines), by="bank-a")
    )
    path = f"/v1/transactions/{receipt.transaction_id}/refusals"
    assert door.get(path, by="bank-a", min_sequence=receipt.sequence).json()["refusals"] == [
        {"line": 1, "sequence": receipt.sequence + 1, "code": "insufficient_funds"}
    ]
    assert code_of(door.get(path, by="bank-b")) == "not_found"


def test_a_quota_nobody_has_is_not_found(door: Door) -> None:
    assert code_of(door.get("/v1/quota/bank-a", by="bank-a", coin="BTC")) == "not_found"
    assert code_of(door.get("/v1/quota/miner-one", by="supervisor", coin="BTC")) == "not_found"


def test_a_leaf_the_log_does_not_have_is_not_waited_for(door: Door) -> None:
    beyond = door.get(f"/v1/accounts/{BANK_A}/statement", by="bank-a", min_sequence=door.size)
    assert (beyond.status_code, code_of(beyond)) == (404, "leaf_unknown")


def test_a_read_waits_for_what_it_asks_for_and_says_when_it_is_not_there(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait_for(size: int, _timeout_s: float) -> None:
        raise ViewsBehind(f"expected views of {size} leaves, got 0")

    path = f"/v1/accounts/{BANK_A}/statement"
    with monkeypatch.context() as patched:
        patched.setattr(door.parts.projections.following, "wait_for", wait_for)
        behind = door.get(path, by="bank-a", min_sequence=door.size - 1)
        assert (behind.status_code, code_of(behind)) == (503, "views_behind")
        assert behind.headers["retry-after"] == "1"
        assert behind.json()["is_transient"]
    assert door.get(path, by="bank-a", min_sequence=door.size - 1).status_code == 200


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "0"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "1001"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "1_0"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": " 1"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "1.0"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "01"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "\u0661"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "NaN"}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": "9" * 5_000}),
        (f"/v1/accounts/{BANK_A}/statement", {"cursor": "-1"}),
        (f"/v1/accounts/{BANK_A}/statement", {"cursor": "999999999"}),
        (f"/v1/accounts/{BANK_A}/statement", {"is_oldest_first": "yes"}),
        (f"/v1/accounts/{BANK_A}/statement", {"min_sequence": str(2**53)}),
        (f"/v1/accounts/{BANK_A}/statement", {"limit": ["1", "2"]}),
        (f"/v1/accounts/{BANK_A}/statement", {"lmit": "1"}),
        (f"/v1/accounts/{BANK_A}", {"at": "now"}),
        ("/v1/accounts/KZ1", {}),
        ("/v1/accounts/" + BANK_A.lower(), {}),
        ("/v1/participants/BANK", {}),
        ("/v1/participants/bank-a%0A", {}),
        ("/v1/transactions", {}),
        ("/v1/transactions", {"reference": "0193f5a0-0000-4000-8000-000000000001"}),
        ("/v1/transactions/" + "A" * 42, {}),
        ("/v1/transactions/" + "A" * 42 + "B", {}),
        ("/v1/quota/miner-one", {}),
        ("/v1/quota/miner-one", {"coin": "btc"}),
        ("/v1/quota/miner-one", {"coin": "BTC", "as_of": "2025-02-30"}),
    ],
)
def test_a_parameter_that_is_wrong_is_named(door: Door, path: str, params: dict[str, Any]) -> None:
    answer = door.get(path, by="bank-a", **params)
    assert (answer.status_code, code_of(answer)) == (400, "request_invalid"), answer.text


def test_what_came_is_not_repeated_in_a_form_that_cannot_be_shown(door: Door) -> None:
    # A right-to-left override and half of a surrogate pair, as a browser would never send them.
    path = f"/v1/accounts/{BANK_A}?%E2%80%AEevil%ED%A0%BD=1"
    answer = door.client.get(path, headers=door.bearer("bank-a"))
    assert code_of(answer) == "request_invalid"
    assert answer.json()["detail"].isascii()
