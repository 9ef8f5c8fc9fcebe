"""The client against an honest node."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from ledger.model.assets import TENGE
from ledger.rules.bulk import Line
from ledger.rules.transfers import Transfer
from tests.client.town import ISSUED, OWN_A, OWN_B, WALLET_A, WALLET_B, Town
from tests.client.transports import Failing, problem
from wallet_api.client import FileStore, Problem, Refused, Retry, UnexpectedAnswer, Unreachable, add_signatures

QUICK = Retry(give_up_after_s=5.0, first_wait_s=0.0)


def test_a_payment_is_signed_sent_and_its_receipt_proven(town: Town) -> None:
    with town.client("bank-a") as client:
        receipt = client.transfer(OWN_A, WALLET_A, 100)
        assert (receipt.outcome, receipt.kind, receipt.participant) == ("accepted", "transfer", "bank-a")
        assert client.newest_sequence == receipt.sequence
        assert client.newest_checkpoint is not None


def test_a_refusal_is_raised_with_its_proven_receipt(town: Town) -> None:
    with town.client("bank-a") as client, pytest.raises(Refused) as refused:
        client.transfer(OWN_A, WALLET_A, ISSUED + 1)
    assert refused.value.code == "insufficient_funds"
    assert refused.value.receipt.code == "insufficient_funds"


def test_what_cannot_be_decided_is_a_problem_by_its_code(town: Town) -> None:
    with town.client("bank-a", signers=town.member("bank-b").signers()) as client, pytest.raises(Problem) as raised:
        client.transfer(OWN_A, WALLET_A, 1)
    assert (raised.value.code, raised.value.status) == ("signatures_insufficient", 403)


def test_a_missing_signature_can_be_added_to_the_same_transaction(town: Town) -> None:
    issuers = town.member("central-bank").signers(3)
    with town.client("bank-a") as client:
        body = {"account": OWN_A, "amount": 1_000, "reserve_payment": "RTGS-LATER"}
        submission = client.sign(client.prepare("issue", body), issuers[:1])
        with pytest.raises(Problem) as short:
            client.submit_signed(submission)
        assert short.value.code == "signatures_insufficient"
        complete = add_signatures(submission, issuers[1:2])
        receipt = client.submit_signed(complete)
        # Sent again under other good signatures, the first answer comes back and is proven all the same.
        payload_again = client.sign(client.prepare("issue", body, reference=receipt.reference), issuers[1:])
        assert client.submit_signed(payload_again) == receipt


def test_lost_answers_and_busy_nodes_are_met_with_the_same_bytes(town: Town) -> None:
    lost = Failing([httpx2.ReadError("gone"), httpx2.ConnectError("away")], after_the_node=True)
    with town.client("bank-a", transport=lost, retry=QUICK) as client:
        client.transfer(OWN_A, OWN_B, 10)
    bodies = [body for path, body in lost.sent if path == "/v1/transactions"]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1

    busy = Failing([problem(429, "queue_full"), problem(503, "outcome_unknown", **{"retry-after": "0"})])
    with town.client("bank-a", transport=busy, retry=QUICK) as client:
        client.transfer(OWN_A, OWN_B, 10)
    assert len({body for path, body in busy.sent if path == "/v1/transactions"}) == 1


def test_retrying_never_pays_twice(town: Town) -> None:
    with town.client("bank-a") as plain:
        before = plain.account(OWN_A).balance
    lost = Failing([httpx2.ReadTimeout("slow")], after_the_node=True)
    with town.client("bank-a", transport=lost, retry=QUICK) as client:
        client.transfer(OWN_A, OWN_B, 7)
        assert client.account(OWN_A).balance == before - 7


def test_who_never_answers_is_unreachable_and_the_bytes_are_kept(town: Town) -> None:
    dead = Failing([httpx2.ConnectError("away")] * 50)
    retry = Retry(give_up_after_s=0.0, first_wait_s=0.001)
    with town.client("bank-a", transport=dead, retry=retry) as client, pytest.raises(Unreachable) as raised:
        client.transfer(OWN_A, OWN_B, 1)
    assert raised.value.submission == dead.sent[0][1]


def test_who_stays_busy_is_a_transient_problem(town: Town) -> None:
    busy = Failing([problem(503, "store_unavailable", **{"retry-after": "9"})] * 9)
    retry = Retry(give_up_after_s=1.0)
    with town.client("bank-a", transport=busy, retry=retry) as client, pytest.raises(Problem) as raised:
        client.transfer(OWN_A, OWN_B, 1)
    assert raised.value.is_transient
    assert len(busy.sent) == 1, "nine seconds are longer than this client is willing to wait"


def test_something_else_than_a_ledger_is_told_apart(town: Town) -> None:
    strange = Failing([httpx2.Response(404, text="<html>"), httpx2.Response(200, text="<html>")])
    with town.client("bank-a", transport=strange) as client, pytest.raises(UnexpectedAnswer, match="status 404"):
        client.transfer(OWN_A, OWN_B, 1)


def test_a_long_bulk_is_sent_with_a_token_and_every_line_is_proven(town: Town) -> None:
    lines = [Line(debit=OWN_A, credit=WALLET_A, amount=1, label=f"line-{number}") for number in range(1_100)]
    with town.client("bank-a") as client:
        receipt = client.bulk_transfer(lines)
        assert receipt.leaf_count == len(lines)
        assert receipt.bulk is not None
        read = [line for line in client.statement(WALLET_A) if line.transaction_id == receipt.transaction_id]
        assert [line.label for line in read] == [f"line-{number}" for number in reversed(range(1_100))]


def test_many_threads_share_one_client(town: Town) -> None:
    with town.client("bank-a", checks="lazily") as client, ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda amount: client.transfer(OWN_A, OWN_B, amount), range(1, 41)))
        assert len({receipt.sequence for receipt in receipts}) == 40
        client.check_consistency()
        newest = client.newest_checkpoint
        client.check_consistency()
        assert client.newest_checkpoint == newest


def test_the_newest_checkpoint_is_kept_in_a_file_and_demanded_next_time(town: Town, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "checkpoint")
    assert store.load() is None
    with town.client("bank-a", checkpoints=store) as client:
        client.transfer(OWN_A, OWN_B, 1)
        first = client.newest_checkpoint
    assert store.load() == first
    with town.client("bank-a", checkpoints=store) as client:
        client.transfer(OWN_A, OWN_B, 1)
        assert client.newest_checkpoint == store.load() != first


def test_reading_gives_typed_answers(town: Town) -> None:
    with town.client("bank-a") as client:
        receipt = client.transfer(OWN_A, WALLET_B, 5)
        account = client.account(OWN_A)
        assert (account.asset, account.owner, account.status) == (TENGE, "bank-a", "open")
        newest = next(client.statement(OWN_A))
        assert (newest.amount, newest.side, newest.sequence) == (5, "debit", receipt.sequence)
        assert client.outcome(receipt.reference).receipt == receipt
        assert client.outcome(transaction_id=receipt.transaction_id).receipt == receipt
        assert {participant.participant for participant in client.participants()} == set(town.network.members)
        assert client.participant_keys("bank-b").participant.code == "602"
        (tenge,) = client.supply()
        assert tenge.in_circulation == tenge.issued - tenge.redeemed
        assert client.checkpoint().size > receipt.sequence
        with pytest.raises(Problem, match="not_found"):
            client.quota("miner-one", "BTC")
        with pytest.raises(ValueError, match="one of the two"):
            client.outcome()


def test_a_bank_redeems_with_the_issuers(town: Town) -> None:
    with town.client("bank-a") as client:
        before = client.account(OWN_A).balance
        client.redeem(OWN_A, 500, "RTGS-BACK", issuers=town.member("central-bank").signers())
        assert client.account(OWN_A).balance == before - 500


def test_another_banks_account_is_not_found(town: Town) -> None:
    with town.client("bank-a") as client, pytest.raises(Problem) as raised:
        client.account(OWN_B)
    assert raised.value.code == "not_found"


def test_a_token_that_died_is_replaced(town: Town) -> None:
    expired = Failing([])
    with town.client("bank-a", transport=expired) as client:
        client.account(OWN_A)
        expired._failures.append(problem(401, "token_invalid"))
        assert client.account(OWN_A).owner == "bank-a"
    assert [path for path, _ in expired.sent].count("/v1/token") == 2


def test_who_is_not_who_it_says_gets_no_token(town: Town) -> None:
    with town.client("bank-a", audience="another-door") as client, pytest.raises(Problem) as raised:
        client.account(OWN_A)
    assert raised.value.code == "client_authentication_invalid"


def test_only_a_sandbox_has_a_clock_to_set(town: Town) -> None:
    with town.client("bank-a") as client, pytest.raises(Problem):
        client.set_clock(client._time_us())


def test_a_record_and_plain_data_make_the_same_bytes(town: Town) -> None:
    with town.client("bank-a") as client:
        body = Transfer(debit=OWN_A, credit=OWN_B, asset=TENGE, amount=1)
        reference = client.transfer(OWN_A, OWN_B, 1).reference
        plain = {"debit": OWN_A, "credit": OWN_B, "asset": "KZT", "amount": 1}
        assert client.prepare("transfer", body, reference=reference) == client.prepare(
            "transfer", plain, reference=reference
        )
