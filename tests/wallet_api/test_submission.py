"""Sending transactions: accepted, refused, sent twice, without token and with one."""

import msgspec

from ledger.crypto.keys import PublicKey
from ledger.log.group import origin_of
from ledger.log.receipts import Receipt, verify_receipt
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.day_close import DayClose
from ledger.units import AssetId, BusinessDate
from settlement.rules import RULEBOOK
from tests.book import key_of, wallet
from tests.wallet_api.door import BANK_A, JOSE, WALLET_A, WALLET_B, Door, code_of
from wallet_api.problems import PROBLEMS


def log_key() -> PublicKey:
    return key_of("log").public


def bulk(door: Door, lines: int) -> bytes:
    body = BulkTransfer(
        asset=AssetId("KZT"),
        is_atomic=True,
        lines=tuple(Line(debit=BANK_A, credit=WALLET_A, amount=1, label=f"line-{number}") for number in range(lines)),
    )
    return door.signed("bulk_transfer", body, by="bank-a")


def test_a_transfer_is_answered_with_a_receipt_that_proves_it(door: Door) -> None:
    raw = door.transfer(250)
    answer = door.post(raw)
    receipt = msgspec.json.decode(answer.content, type=Receipt)
    assert (answer.status_code, receipt.outcome) == (201, "accepted")
    assert answer.headers["location"] == f"/v1/transactions/{receipt.transaction_id}"
    verify_receipt(receipt, origin=origin_of(door.network), log_key=log_key(), submission=raw, rulebook=RULEBOOK)


def test_a_refusal_is_a_problem_that_carries_its_receipt(door: Door) -> None:
    raw = door.transfer(10**15)
    answer = door.post(raw)
    assert (answer.status_code, code_of(answer)) == (422, "insufficient_funds")
    assert answer.json()["reason_code"] == "AM04"
    receipt = msgspec.convert(answer.json()["receipt"], Receipt)
    assert (receipt.outcome, receipt.code) == ("refused", "insufficient_funds")
    verify_receipt(receipt, origin=origin_of(door.network), log_key=log_key(), submission=raw, rulebook=RULEBOOK)


def test_the_same_bytes_again_get_the_first_answer(door: Door) -> None:
    for raw in (door.transfer(3), door.transfer(10**15)):
        first = door.post(raw)
        size = door.size
        again = door.post(raw)
        assert again.status_code == first.status_code
        # The name of the occurrence differs; everything that proves something does not.
        assert again.json() | {"instance": ""} == first.json() | {"instance": ""}
        assert door.size == size


def test_a_small_submission_needs_no_token_and_takes_either_media_type(door: Door) -> None:
    assert door.post(door.transfer(), {"content-type": "application/json; charset=utf-8"}).status_code == 201
    assert door.post(door.transfer(), {"content-type": "APPLICATION/JOSE+JSON"}).status_code == 201


def test_a_large_bulk_needs_a_token(door: Door) -> None:
    raw = bulk(door, 2_000)
    assert len(raw) > door.parts.settings.body_bytes_max
    size = door.size
    assert code_of(door.post(raw)) == "body_too_large"
    assert door.size == size
    answer = door.post(raw, JOSE | door.bearer("bank-a"))
    assert answer.status_code == 201
    receipt = msgspec.json.decode(answer.content, type=Receipt)
    assert receipt.leaf_count == 2_000
    verify_receipt(receipt, origin=origin_of(door.network), log_key=log_key(), submission=raw, rulebook=RULEBOOK)


def test_a_submission_with_a_bad_token_is_told_so(door: Door) -> None:
    answer = door.post(door.transfer(), JOSE | {"authorization": "Bearer nonsense"})
    assert (answer.status_code, code_of(answer)) == (401, "token_invalid")


def test_a_missing_signature_can_be_added_later(door: Door) -> None:
    from ledger.rules.issuance import Issue

    body = Issue(account=BANK_A, amount=5, reserve_payment="RTGS-later")
    few = door.signed("issue", body, by="bank-a")
    assert code_of(door.post(few)) == "signatures_insufficient"
    transaction = door.book.transaction("issue", body, by="bank-a")
    more = door.book.sign(transaction, [key_of("bank-a-1"), key_of("issuer-1"), key_of("issuer-2")])
    assert door.post(more).status_code == 201


def test_a_debit_of_an_account_of_others_and_of_none_answer_alike(door: Door) -> None:
    theirs = door.post(door.transfer(debit=WALLET_B))
    nobodys = door.post(door.transfer(debit=wallet("602", 999)))
    assert code_of(theirs) == code_of(nobodys) == "debit_account_not_found"
    assert theirs.json()["detail"] == nobodys.json()["detail"]


def test_the_detail_of_a_refusal_by_balance_goes_to_its_sender_only(door: Door) -> None:
    balance = door.get(f"/v1/accounts/{BANK_A}", by="bank-a").json()["balance"]
    title = PROBLEMS["insufficient_funds"].title
    for headers in ({}, door.bearer("bank-b"), door.bearer("supervisor")):
        answer = door.post(door.transfer(10**15), JOSE | headers)
        assert (code_of(answer), answer.json()["detail"]) == ("insufficient_funds", title)
    raw = door.transfer(10**15)
    answer = door.post(raw, JOSE | door.bearer("bank-a"))
    assert f"{10**15 - balance} short" in answer.json()["detail"]
    # It is no part of the log, so a retry does not have it.
    assert door.post(raw, JOSE | door.bearer("bank-a")).json()["detail"] == title


def test_the_detail_of_a_refusal_that_tells_nothing_of_others_goes_to_everyone(door: Door) -> None:
    body = DayClose(closes=BusinessDate("2020-01-01"), opens=BusinessDate("2020-01-02"))
    answer = door.post(door.signed("day_close", body, by="operator", signers=("operator-1", "operator-2")))
    assert code_of(answer) == "business_date_differs"
    assert "not 2020-01-01" in answer.json()["detail"]


def test_a_debit_of_others_and_of_none_answer_alike_to_a_bearer_too(door: Door) -> None:
    details = {
        door.post(door.transfer(debit=account), JOSE | door.bearer("bank-a")).json()["detail"].replace(account, "")
        for account in (WALLET_B, wallet("602", 999))
    }
    assert len(details) == 1


def test_an_answer_carries_the_security_headers_and_is_not_cached(door: Door) -> None:
    for answer in (door.post(door.transfer()), door.post(b""), door.get("/health")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert answer.headers["cache-control"] == "no-store"
