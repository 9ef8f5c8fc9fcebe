"""Verification of what a dishonest operator writes, who holds the log key: block and cause are named."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from ledger.crypto import canonical, jws
from ledger.crypto.keys import PrivateKey
from ledger.crypto.note import Checkpoint, sign_checkpoint
from ledger.log import group as group_module
from ledger.log import verify as verify_module
from ledger.log.block import Block, BlockBody, decode_body, encode_body
from ledger.log.group import Group, decide_group
from ledger.log.outcomes import KeptOutcome, encode_outcome
from ledger.model.journal import Posting, Side
from ledger.model.transactions import SignedTransaction
from ledger.rules.core import CORE_MODULES
from ledger.rules.day_close import RulebookSet
from ledger.rules.invariants import InvariantBroken
from ledger.rules.keys import LogKeyRotate
from ledger.rules.module import Proposal, Submitted
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import BALANCES
from ledger.state import View
from ledger.units import TimestampUs
from tests.book import CORE_RULEBOOK, key_of
from tests.log.exports import fault_in, verified
from tests.log.node import A_ONE, A_OWN, A_TWO, log_keyring
from tests.log.scribe import Scribe, decided_otherwise, export_of
from tests.log.stage import day_close
from tests.rules.bodies import bulk, pay


def transfer(scribe: Scribe, amount: int = 1, **members: Any) -> SignedTransaction:
    return scribe.open(scribe.signed("transfer", pay(A_OWN, A_ONE, amount), by="bank-a", **members))


def unchanged(_group: Group) -> None:
    """A forgery of something else than the outcome."""


ACCEPTED = KeptOutcome()


OUTCOMES: Sequence[tuple[str, str, Any, KeptOutcome]] = (
    ("a payment without funds, accepted", "transfer", pay(A_TWO, A_ONE, 5), ACCEPTED),
    ("a good payment, refused", "transfer", pay(A_OWN, A_ONE, 5), KeptOutcome(refusal="insufficient_funds")),
    ("refused for another reason", "transfer", pay(A_TWO, A_ONE, 5), KeptOutcome(refusal="account_frozen")),
    (
        "postings that do not balance",
        "transfer",
        pay(A_OWN, A_ONE, 5),
        KeptOutcome(postings=((Posting(account=A_ONE, asset="KZT", amount=5, side=Side.CREDIT),),)),  # type: ignore[arg-type]
    ),
    ("a record nobody decided", "transfer", pay(A_OWN, A_ONE, 5), KeptOutcome(record={})),
    (
        "a line refused that was good",
        "bulk_transfer",
        bulk((A_OWN, A_ONE, 1), (A_OWN, A_TWO, 1), is_atomic=False),
        KeptOutcome(refused_lines=((1, "insufficient_funds"),)),
    ),
)


@pytest.mark.parametrize(("_name", "kind", "body", "kept"), OUTCOMES, ids=[each[0] for each in OUTCOMES])
def test_an_outcome_the_rules_do_not_give_is_found_though_the_log_key_signed_it(
    pilot: Scribe, _name: str, kind: str, body: Any, kept: KeptOutcome
) -> None:
    signed = pilot.open(pilot.signed(kind, body, by="bank-a"))
    block = pilot.forge([transfer(pilot), signed], decided_otherwise(kept, 1))
    pilot.pay("bank-a", A_OWN, A_ONE, 1)
    assert fault_in(pilot.export()).startswith(f"block {block.height}, submission 1: the outcome kept")


def test_a_transaction_nobody_signed_is_found(pilot: Scribe) -> None:
    raw = pilot.signed("transfer", pay(A_OWN, A_ONE, 1), by="bank-a")
    envelope = jws.parse(raw, typ=jws.TYP_TRANSACTION)
    forged = raw.replace(
        canonical.b64url(envelope.signatures[0].signature).encode(), canonical.b64url(bytes(64)).encode()
    )
    block = pilot.forge([pilot.open(forged, checks_signatures=False)], unchanged)
    assert fault_in(pilot.export()).startswith(f"block {block.height}, submission 0: signature_invalid")


def test_transactions_that_must_not_be_recorded_are_found(pilot: Scribe) -> None:
    first = transfer(pilot)
    pilot.write(first.submission)
    cases: list[tuple[str, SignedTransaction]] = [
        ("Duplicate", first),
        ("reference_reused", transfer(pilot, 2, reference=first.transaction.reference)),
        ("reference_expired", transfer(pilot, reference=pilot.reference(pilot.time_us - 25 * 3_600_000_000))),
        ("signature_unasked", pilot.open(_signed_by(pilot, "bank-b-1"))),
    ]
    for cause, signed in cases:
        export = export_of(pilot.document, [*pilot.blocks, _recorded_all_the_same(pilot, signed)])
        found = fault_in(export)
        assert found.startswith(f"block {len(pilot.blocks)}, submission 0: expected a decision"), found
        assert cause in found


def _signed_by(scribe: Scribe, name: str) -> bytes:
    return scribe.signed("transfer", pay(A_OWN, A_ONE, 1), by="bank-a", signers=(name,))


def _recorded_all_the_same(pilot: Scribe, signed: SignedTransaction) -> Block:
    """A block of a good transaction in which another stands instead; leaves and tree need not fit any more."""
    good = decide_group(
        pilot.rules, pilot.state, pilot.replay.position, [transfer(pilot, 3)], TimestampUs(pilot.time_us + 1)
    )
    assert good.recorded
    newest = pilot.blocks[-1]
    body = BlockBody(
        submissions=[signed.submission], outcomes=[encode_outcome(ACCEPTED)], salts=decode_body(newest.body).salts
    )
    return msgspec.structs.replace(
        newest,
        height=newest.height + 1,
        time_us=newest.time_us + 1,
        first_sequence=newest.size,
        before=pilot.replay.position.range.to_bytes(),
        body=encode_body(body),
    )


def test_what_should_have_waited_for_the_next_block_is_found(pilot: Scribe) -> None:
    close = pilot.open(pilot.signed("day_close", day_close(), by="operator"))
    payment = transfer(pilot)
    rules = pilot.rules
    pilot.replay.rulebooks = {1: changed_kinds("day_close", ends_block=False)}
    block = pilot.forge([close, payment], unchanged)
    pilot.replay.rulebooks = {1: rules}
    assert fault_in(pilot.export()).startswith(f"block {block.height}: submission 0 ends its block")


def changed_kinds(name: str, **changes: Any) -> Rulebook:
    """The rules of the core with one kind changed."""
    return Rulebook(
        1,
        [
            replace(
                module, kinds=tuple(replace(kind, **changes) if kind.name == name else kind for kind in module.kinds)
            )
            for module in CORE_MODULES
        ],
    )


def test_a_block_sealed_with_a_key_that_is_not_the_logs_is_found(pilot: Scribe) -> None:
    pilot.keyring = {kid: key_of("somebody") for kid in pilot.keyring}
    block = pilot.forge([transfer(pilot)], unchanged)
    assert fault_in(pilot.export()).startswith(f"block {block.height}: the checkpoint does not hold")


def test_a_checkpoint_of_another_tree_is_found_though_the_log_key_signed_it(pilot: Scribe) -> None:
    newest = pilot.blocks[-1]
    other = sign_checkpoint(Checkpoint(pilot.replay.origin, newest.size, bytes(32)), key_of("log"))
    pilot.blocks[-1] = msgspec.structs.replace(newest, checkpoint=other)
    assert f"block {newest.height}: the checkpoint says size {newest.size}" in fault_in(pilot.export())


def test_time_that_does_not_go_on_is_found(pilot: Scribe) -> None:
    block = pilot.forge([transfer(pilot)], unchanged, time_us=pilot.time_us)
    assert fault_in(pilot.export()).startswith(f"block {block.height}: expected a time above")


def test_money_made_from_nothing_by_rules_with_a_defect_is_found(
    pilot: Scribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide(_view: View, _submitted: Submitted) -> Proposal:
        return Proposal(changes=((BALANCES, A_ONE, 1_000_000),), record={})

    defect = changed_kinds("transfer", decide=decide, entries=None)
    pilot.replay.rulebooks = {1: defect}
    with monkeypatch.context() as patch:
        patch.setattr(group_module, "check_block", lambda *_: None)
        block = pilot.forge([transfer(pilot)], unchanged)
    found = fault_in(pilot.export(), rulebooks={1: defect})
    assert found.startswith(f"block {block.height}: the rules do not hold")
    assert fault_in(pilot.export()).startswith(f"block {block.height}, submission 0: the outcome kept")


def test_sums_are_checked_at_the_end(pilot: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_state: object) -> None:
        raise InvariantBroken("KZT: issued 100, held 99")

    monkeypatch.setattr(verify_module, "check_conservation", broken)
    assert "issued 100, held 99" in fault_in(pilot.export())


def test_rules_this_program_lacks_are_named_with_the_block_that_needs_them(pilot: Scribe) -> None:
    pilot.replay.rulebooks = {1: CORE_RULEBOOK, 2: Rulebook(2, CORE_MODULES)}
    pilot.submit("rulebook_set", RulebookSet(version=2), by="central-bank")
    pilot.close_day("2024-12-25")
    assert pilot.pay("bank-a", A_OWN, A_ONE, 1) == "accepted"
    assert verified(pilot.export(), rulebooks=pilot.replay.rulebooks).transactions == len(pilot.blocks) - 1
    assert fault_in(pilot.export()) == (
        f"block {len(pilot.blocks) - 1}: the ledger is under rulebook 2, this program knows [1]"
    )


def test_the_log_key_may_rotate_and_checkpoints_under_either_key_are_known(pilot: Scribe) -> None:
    pilot.submit(
        "log_key_rotate",
        LogKeyRotate(x=key_of("log-2").public.x),
        by="operator",
        signers=("operator-1", "operator-2", "log", "log-2"),
    )
    pilot.pay("bank-a", A_OWN, A_ONE, 1)
    export = pilot.export()
    for block in pilot.blocks:
        assert verified(export, at_least=block.checkpoint).blocks == len(pilot.blocks)
    keyring: dict[Any, PrivateKey] = {**log_keyring("log")}
    keyring[key_of("log-2").public.kid] = key_of("log")
    pilot.keyring = keyring
    pilot.pay("bank-a", A_OWN, A_ONE, 1)
    assert fault_in(pilot.export()).startswith(f"block {len(pilot.blocks) - 1}: the checkpoint does not hold")
