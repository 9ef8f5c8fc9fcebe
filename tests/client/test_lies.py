"""A node that lies is caught: whatever it changes, replays or hides, the client does not believe it."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.crypto.keys import PrivateKey
from ledger.crypto.note import InvalidNote
from ledger.rules.bulk import Line
from tests.client.town import OWN_A, OWN_B, WALLET_A, Town, new_folder, run, settle
from tests.client.transports import Failing, Lying, problem
from wallet_api.client import (
    ConsistencyOutstanding,
    ForkedLog,
    MemoryStore,
    Problem,
    Refused,
    TrustedLog,
    UnexpectedAnswer,
    UnprovenReceipt,
)

SUBMIT = "/v1/transactions"


def _leaf(change: Callable[[str], str]) -> Callable[[dict[str, Any]], None]:
    def spoil(document: dict[str, Any]) -> None:
        document["leaves"][0]["leaf"] = change(document["leaves"][0]["leaf"])

    return spoil


def _proof(pattern: str, replacement: str) -> Callable[[dict[str, Any]], None]:
    def spoil(document: dict[str, Any]) -> None:
        proof = document["leaves"][0]["proof"]
        document["leaves"][0]["proof"] = re.sub(pattern, replacement, proof, count=1, flags=re.MULTILINE)

    return spoil


def _member(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update({name: value})


LIES = {
    "another amount in the leaf": _leaf(lambda leaf: leaf.replace('"amount":11', '"amount":12')),
    "another payee in the leaf": _leaf(lambda leaf: leaf.replace(OWN_B, WALLET_A)),
    "no leaf at all": _member("leaves", []),
    "no such leaf index": _proof(r"^index \d+$", "index 0"),
    "another hash in the path": _proof(r"^[A-Za-z0-9+/]{43}=$", "A" * 43 + "="),
    "a false signature": _proof(r"(— \S+ .{20}).{8}", r"\g<1>AAAAAAAA"),
    "another sequence": _member("sequence", 0),
    "another reference": _member("reference", "0193f5a0-0000-7000-8000-000000000001"),
    "another sender": _member("participant", "bank-b"),
    "another network": _member("network", "town:" + "A" * 43),
    "another height": _member("height", 1),
    "another time": _member("time_us", 1_735_000_000_000_000),
    "another kind": _member("kind", "issue"),
    "refused, it says, with the status of an acceptance": _member("outcome", "refused"),
    "a receipt of unknown form": _member("surprise", 1),
}


@pytest.mark.parametrize("spoil", LIES.values(), ids=LIES)
def test_a_changed_answer_is_no_receipt(town: Town, spoil: Callable[[dict[str, Any]], None]) -> None:
    with town.client("bank-a", transport=Lying(SUBMIT, spoil)) as client, pytest.raises(UnprovenReceipt) as raised:
        client.transfer(OWN_A, OWN_B, 11)
    assert msgspec.json.decode(raised.value.answer), "the answer is kept as evidence"


def test_an_old_receipt_is_no_answer_to_a_new_payment(town: Town) -> None:
    with town.client("bank-a") as client:
        old = msgspec.to_builtins(client.transfer(OWN_A, OWN_B, 11))

    def replay(document: dict[str, Any]) -> None:
        document.clear()
        document.update(old)

    liar = town.client("bank-a", transport=Lying(SUBMIT, replay))
    with liar, pytest.raises(UnprovenReceipt, match="transaction_id"):
        liar.transfer(OWN_A, OWN_B, 11)


def test_a_refusal_must_be_proven_too(town: Town) -> None:
    def refuse(document: dict[str, Any]) -> None:
        document.update({"_status": 422, "code": "insufficient_funds", "receipt": dict(document)})

    def other_code(document: dict[str, Any]) -> None:
        document["code"] = "account_frozen"

    with town.client("bank-a", transport=Lying(SUBMIT, refuse)) as client, pytest.raises(UnprovenReceipt):
        client.transfer(OWN_A, OWN_B, 11)
    liar = town.client("bank-a", transport=Lying(SUBMIT, other_code))
    with liar, pytest.raises(UnprovenReceipt, match="account_frozen"):
        liar.transfer(OWN_A, OWN_B, 10**14)


def test_a_bulk_cannot_hide_a_refused_line(town: Town) -> None:
    def hide(document: dict[str, Any]) -> None:
        document["bulk"]["refused_lines"] = {}

    lines = [Line(debit=OWN_A, credit=OWN_B, amount=1, label=f"line-{number}") for number in range(20)]
    lines[7] = Line(debit=OWN_A, credit=OWN_B, amount=10**14, label="line-7")
    with town.client("bank-a") as client:
        receipt = client.bulk_transfer(lines, is_atomic=False)
        assert receipt.bulk is not None
        assert receipt.bulk.refused_lines == {"7": "insufficient_funds"}
    with town.client("bank-a", transport=Lying(SUBMIT, hide)) as client, pytest.raises(UnprovenReceipt):
        client.bulk_transfer(lines, is_atomic=False)


def test_a_false_consistency_proof_shows_a_fork(town: Town) -> None:
    def spoil(document: dict[str, Any]) -> None:
        document["path"] = ["A" * 43 for _ in document["path"]]

    with town.client("bank-a", transport=Lying("/v1/log/consistency", spoil)) as client:
        client.transfer(OWN_A, OWN_B, 11)
        with pytest.raises(ForkedLog) as raised:
            client.transfer(OWN_A, OWN_B, 11)
    assert raised.value.first != raised.value.second


def test_what_is_no_consistency_proof_proves_nothing(town: Town) -> None:
    def spoil(document: dict[str, Any]) -> None:
        document["path"] = ["not base64url!"]

    with town.client("bank-a", transport=Lying("/v1/log/consistency", spoil)) as client:
        client.transfer(OWN_A, OWN_B, 11)
        with pytest.raises(ConsistencyOutstanding) as raised:
            client.transfer(OWN_A, OWN_B, 12)
        assert raised.value.receipt.outcome == "accepted", "the payment itself is proven"
        with pytest.raises(UnexpectedAnswer):
            client.check_consistency()


def test_a_node_that_withholds_the_proof_is_told_from_one_that_did_not_pay(town: Town) -> None:
    def withhold(document: dict[str, Any]) -> None:
        document.clear()
        document.update({"_status": 404, "code": "not_found"})

    with town.client("bank-a", transport=Lying("/v1/log/consistency", withhold)) as client:
        client.transfer(OWN_A, OWN_B, 11)
        with pytest.raises(ConsistencyOutstanding) as raised:
            client.transfer(OWN_A, OWN_B, 10**14)
        assert raised.value.receipt.code == "insufficient_funds"


def test_only_the_logs_own_checkpoint_is_taken(town: Town) -> None:
    problem_first = Failing([problem(404, "not_found")])
    with town.client("bank-a", transport=problem_first) as client:
        with pytest.raises(Problem):
            client.checkpoint()
        assert client.checkpoint().size > 0


def test_what_became_of_a_transaction_is_proven_too(town: Town) -> None:
    with town.client("bank-a") as client:
        submission = client.sign(
            client.prepare("transfer", {"asset": "KZT", "debit": OWN_A, "credit": OWN_B, "amount": 11})
        )
        receipt = client.submit_signed(submission)
        assert client.outcome(receipt.reference, submission=submission).receipt == receipt
        other = client.transfer(OWN_A, OWN_B, 11)

    def spoil(document: dict[str, Any]) -> None:
        _leaf(lambda leaf: leaf.replace('"amount":11', '"amount":12'))(document["receipt"])

    liar = town.client("bank-a", transport=Lying(SUBMIT, spoil))
    with liar, pytest.raises(UnprovenReceipt):
        liar.outcome(receipt.reference)

    def another(document: dict[str, Any]) -> None:
        document["receipt"] = msgspec.to_builtins(other)

    liar = town.client("bank-a", transport=Lying(SUBMIT, another))
    with liar, pytest.raises(UnprovenReceipt, match="got another"):
        liar.outcome(receipt.reference)


def test_an_answer_of_unknown_form_is_told_apart(town: Town) -> None:
    def strip(document: dict[str, Any]) -> None:
        del document["balance"]

    liar = town.client("bank-a", transport=Lying(f"/v1/accounts/{OWN_A}", strip))
    with liar, pytest.raises(UnexpectedAnswer, match="AccountAnswer"):
        liar.account(OWN_A)


def test_a_log_signed_by_another_key_is_not_believed(town: Town) -> None:
    stranger = TrustedLog(town.network.id, (PrivateKey.generate().public,))
    with town.client("bank-a", trusted=stranger) as client, pytest.raises(UnprovenReceipt):
        client.transfer(OWN_A, OWN_B, 11)
    both = TrustedLog(town.network.id, (*stranger.keys, *town.trusted.keys))
    with town.client("bank-a", trusted=both) as client:
        assert client.transfer(OWN_A, OWN_B, 11).outcome == "accepted"


def test_a_kept_checkpoint_of_another_log_is_refused_at_the_start(town: Town) -> None:
    with pytest.raises(InvalidNote):
        town.client("bank-a", checkpoints=MemoryStore("not a checkpoint"))


@pytest.fixture
def two_histories(tmp_path: Path) -> Iterator[tuple[Town, Town]]:
    """Two nodes of one network and one log key: an operator who shows different logs to different banks."""
    network = new_folder(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one_node, one = run(tmp_path / "one", network)
    with one_node:
        two_node, two = run(tmp_path / "two", network)
        with two_node:
            settle(one)
            settle(two)
            yield one, two


def test_two_histories_under_one_key_are_told_apart(two_histories: tuple[Town, Town]) -> None:
    one, two = two_histories
    seen = MemoryStore()
    with one.client("bank-a", checkpoints=seen) as client:
        client.transfer(OWN_A, OWN_B, 1)
    with two.client("bank-a", checkpoints=seen) as client, pytest.raises(ForkedLog):
        client.transfer(OWN_A, OWN_B, 1)
    # Asked lazily, the client pays first and finds out when it looks.
    with two.client("bank-a", checkpoints=MemoryStore(seen.load()), checks="lazily") as client:
        with pytest.raises(Refused):
            client.transfer(OWN_A, OWN_B, 10**14)
        with pytest.raises(ForkedLog):
            client.check_consistency()
