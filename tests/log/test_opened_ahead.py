"""Opening ahead of a verification: what is found there is what the verification would find, and it can do without."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from functools import cache
from typing import Final

import msgspec
import pytest

from ledger.log import opened_ahead as opened_ahead_module
from ledger.log import opener_process, verify
from ledger.log.block import Block, decode_body, encode_body
from ledger.log.opened_ahead import OpenedAhead, opened_ahead
from ledger.log.opener import Opened, Unfit
from ledger.log.opener_process import OpenerProcess
from ledger.log.replay import NOTHING_OPENED, OpenedBefore, Replay, ReplayFault
from ledger.log.verify import OPENERS_FROM_BYTES, OPENERS_MAX, openers_for
from ledger.model.participants import Role
from ledger.rules.tables import KEYS
from tests.book import CORE_RULEBOOK, Book, own_account, pilot_book, wallet
from tests.log.exports import fault_in, verified
from tests.log.node import populate
from tests.log.scribe import Scribe
from tests.log.test_opener import PROGRAM
from tests.rules.bodies import bulk, pay

RICH: Final = own_account("601")

Change = Callable[[OpenedBefore, OpenedBefore], OpenedBefore]
"""What is told of a block, from what was found of it and of the block before."""


class Counted(OpenerProcess):
    """An opener that remembers how many keys it was told each time."""

    def __init__(self, network: str) -> None:
        super().__init__([sys.executable, "-c", PROGRAM, network])
        self.told: list[int] = []

    def ask(self, raws: list[bytes], rulebook: int) -> Sequence[Opened | Unfit | None]:
        self.told.append(len(self._learned))
        return super().ask(raws, rulebook)

    def kill(self) -> None:
        assert self._process is not None, "it runs"
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Held(Counted):
    """An opener that takes as long to start as the test wants."""

    def __init__(self) -> None:
        super().__init__(Book(CORE_RULEBOOK).network)
        self.gate = threading.Event()

    def start(self) -> None:
        self.gate.wait()
        super().start()


def counted(count: int) -> list[Counted]:
    return [Counted(Book(CORE_RULEBOOK).network) for _ in range(count)]


def openers(network: str) -> list[OpenerProcess]:
    return [OpenerProcess([sys.executable, "-c", PROGRAM, network]) for _ in range(2)]


def replay_of(book: Book) -> Replay:
    """A replay that has come to the state of a book."""
    replay = Replay(book.document, {CORE_RULEBOOK.version: CORE_RULEBOOK})
    replay.state = book.state
    return replay


def payments(book: Book, count: int = 3) -> list[bytes]:
    return [book.signed("transfer", pay(RICH, wallet("601", 1), 1 + n), by="bank-a") for n in range(count)]


def with_false_signature(submission: bytes) -> bytes:
    """The same payload with the last letter but one of its signature changed."""
    place = submission.rindex(b'"}]}') - 2
    return submission[:place] + (b"A" if submission[place : place + 1] != b"A" else b"B") + submission[place + 1 :]


def waited_for(ahead: OpenedAhead) -> OpenedBefore:
    """The answer about the oldest block, which an opener was given time to begin."""
    wait([asked for asked in ahead._asked if asked is not None])
    return ahead.answer()


def kinds_of(before: OpenedBefore) -> list[type]:
    return [type(each) for each in before.found]


def test_openers_take_blocks_in_turns_and_answer_in_order() -> None:
    book = pilot_book()
    good = payments(book)
    lines = [(RICH, wallet("601", 1), 1 + n) for n in range(3)]
    long = book.signed("bulk_transfer", bulk(*lines), by="bank-a")
    asked = [good, [], [good[0], with_false_signature(good[1])], [b"{}"], [long]]
    with opened_ahead(counted(2)) as ahead:
        for submissions in asked:
            ahead.ask(submissions, replay_of(book))
        answers = [waited_for(ahead) for _ in asked]
    assert [kinds_of(answer) for answer in answers] == [[Opened] * 3, [], [Opened, Unfit], [Unfit], [Opened]]
    for submissions, answer in zip(asked, answers, strict=True):
        for raw, each in zip(submissions, answer.found, strict=False):
            if isinstance(each, Opened):
                assert each.signed(CORE_RULEBOOK, raw) == book.open(raw)


def test_keys_are_told_once_and_all_again_to_an_opener_that_was_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opener_process, "RESTART_AFTER_S", 0.0)
    early, book = pilot_book(), pilot_book()
    book.admit("late-bank", Role.INTERMEDIARY, "699")
    late = book.signed("transfer", pay(RICH, wallet("601", 1), 5), by="late-bank")
    (opener,) = counted(1)
    found = []
    with opened_ahead([opener]) as ahead:
        for asked, replay in (
            (payments(early, 1), replay_of(early)),
            ([late], replay_of(early)),
            ([late], replay_of(book)),
            ([late], replay_of(book)),
        ):
            ahead.ask(asked, replay)
            found += kinds_of(waited_for(ahead))
        opener.kill()
        for _ in range(2):
            ahead.ask([late], replay_of(book))
            found += kinds_of(waited_for(ahead))
    assert found == [Opened, type(None), Opened, Opened, type(None), Opened]
    early_count, count = early.state.count(KEYS), book.state.count(KEYS)
    assert opener.told[:4] == [early_count, 0, count - early_count, 0]


def test_a_block_of_too_many_submissions_and_one_by_unknown_rules_is_not_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opened_ahead_module, "SUBMISSIONS_ASKED_MAX", 2)
    book = pilot_book()
    unknown = replay_of(book)
    unknown.rulebooks = {}
    with opened_ahead(counted(1)) as ahead:
        ahead.ask(payments(book, 2), replay_of(book))
        ahead.ask(payments(book, 3), replay_of(book))
        ahead.ask(payments(book, 2), unknown)
        assert [kinds_of(waited_for(ahead)) for _ in range(3)] == [[Opened] * 2, [], []]


def test_an_opener_that_fails_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    (opener,) = counted(1)

    def fail(_keys: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(opener, "learn", fail)
    book = pilot_book()
    with opened_ahead([opener]) as ahead:
        ahead.ask(payments(book), replay_of(book))
        assert waited_for(ahead) is NOTHING_OPENED


def test_without_openers_nothing_is_opened() -> None:
    book = pilot_book()
    ahead = OpenedAhead(())
    ahead.ask(payments(book), replay_of(book))
    assert ahead.answer() is NOTHING_OPENED
    ahead.close()


def test_an_opener_that_cannot_run_or_is_killed_is_done_without() -> None:
    book = pilot_book()
    (opener,) = counted(1)
    gone = OpenerProcess(["/bin/false"])
    with opened_ahead([opener, gone]) as ahead:
        answers = []
        for is_last in (False, True):
            for _ in range(2):
                ahead.ask(payments(book), replay_of(book))
                answers.append(kinds_of(waited_for(ahead)))
            if not is_last:
                opener.kill()
    nothing = [type(None)] * 3
    assert answers == [[Opened] * 3, nothing, nothing, nothing]


def test_what_no_opener_has_begun_is_left_to_whoever_asks() -> None:
    book = pilot_book()
    opener = Held()
    with opened_ahead([opener]) as ahead:
        for _ in range(3):
            ahead.ask(payments(book), replay_of(book))
        answers = [ahead.answer() for _ in range(3)]
        opener.gate.set()
        assert answers == [NOTHING_OPENED] * 3
        ahead.ask(payments(book), replay_of(book))
        # The keys that were to be told with what was left are told with what came after.
        assert kinds_of(waited_for(ahead)) == [Opened] * 3


def test_what_has_not_begun_is_dropped_at_the_end() -> None:
    book = pilot_book()
    opener = Held()
    ahead = OpenedAhead([opener])
    for _ in range(3):
        ahead.ask(payments(book), replay_of(book))
    opener.gate.set()
    ahead.close()
    assert len(opener.told) <= 1


def lines_ahead(blocks: Sequence[Block], change: Change = lambda before, _former: before) -> tuple[Replay, int]:
    """Replay blocks, each with what an opener found of it, changed or not; how many submissions it had opened."""
    (opener,) = counted(1)
    replay = Replay(populated().document, {CORE_RULEBOOK.version: CORE_RULEBOOK})
    opened = 0
    former = NOTHING_OPENED
    with opened_ahead([opener]) as ahead:
        for block in blocks:
            ahead.ask(decode_body(block.body).submissions, replay)
            before = waited_for(ahead)
            replay.apply(block, before=change(before, former))
            opened += sum(isinstance(each, Opened) for each in before.found)
            former = before
    return replay, opened


@cache
def populated() -> Scribe:
    scribe = Scribe()
    populate(scribe)
    return scribe


def test_a_replay_takes_what_openers_found_and_comes_to_the_same_state() -> None:
    scribe = populated()
    replay, opened = lines_ahead(scribe.blocks)
    assert replay.state.digest() == scribe.state.digest()
    assert opened > sum(len(decode_body(block.body).submissions) for block in scribe.blocks) // 2


def test_what_was_opened_of_another_block_or_changed_is_found() -> None:
    def of_the_one_before(before: OpenedBefore, former: OpenedBefore) -> OpenedBefore:
        is_like = len(former.found) == len(before.found) and any(isinstance(each, Opened) for each in former.found)
        return former if is_like else before

    with pytest.raises(ReplayFault):
        lines_ahead(populated().blocks, of_the_one_before)


def test_what_was_opened_by_other_rules_is_opened_again() -> None:
    def by_others(before: OpenedBefore, former: OpenedBefore) -> OpenedBefore:
        # If it were believed, nothing would hold.
        return OpenedBefore(CORE_RULEBOOK.version + 1, former.found)

    replay, _ = lines_ahead(populated().blocks, by_others)
    assert replay.state.digest() == populated().state.digest()


@pytest.mark.parametrize("change", ["signature", "form"])
def test_an_opener_vouches_for_no_submission_that_is_not_as_it_was_signed_and_kept(change: str) -> None:
    *blocks, last = populated().blocks
    body = decode_body(last.body)
    raw = body.submissions[0]
    wrong = with_false_signature(raw) if change == "signature" else raw.replace(b'{"payload"', b'{ "payload"', 1)
    changed = msgspec.structs.replace(body, submissions=[wrong, *body.submissions[1:]])
    forged = msgspec.structs.replace(last, body=encode_body(changed))
    with pytest.raises(ReplayFault, match="signature" if change == "signature" else "canonical form"):
        lines_ahead([*blocks, forged])


def test_a_verification_says_the_same_with_openers_as_without(small: Scribe) -> None:
    export = small.export()
    assert verified(export, network=small.network, openers=openers) == verified(export, network=small.network)
    for kept in range(0, len(small.blocks), 3):
        cut = b"".join(export.splitlines(keepends=True)[: kept + 1])
        assert fault_in(cut, openers=openers) == fault_in(cut)


def test_a_false_signature_is_found_at_its_place_with_openers_as_without() -> None:
    scribe = Scribe()
    populate(scribe)
    lines = scribe.export().splitlines(keepends=True)
    place = lines[-2].rindex(b'"signature":"') + len(b'"signature":"')
    letter = b"A" if lines[-2][place : place + 1] != b"A" else b"B"
    lines[-2] = lines[-2][:place] + letter + lines[-2][place + 1 :]
    fault = fault_in(b"".join(lines))
    assert "signature" in fault
    assert fault_in(b"".join(lines), openers=openers) == fault


def test_a_submission_not_in_canonical_form_is_found_with_openers_as_without() -> None:
    scribe = Scribe()
    populate(scribe)
    lines = scribe.export().splitlines(keepends=True)
    lines[-2] = lines[-2].replace(b'{"payload":', b'{ "payload":', 1)
    fault = fault_in(b"".join(lines))
    assert fault_in(b"".join(lines), openers=openers) == fault


def test_reading_ahead_is_bounded_by_blocks_and_bytes(small: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    export = small.export()
    for name, most in (("BLOCKS_AHEAD", 1), ("BLOCKS_AHEAD", 2), ("BYTES_AHEAD", 1)):
        with monkeypatch.context() as patched:
            patched.setattr(verify, name, most)
            assert verified(export, openers=openers) == verified(export)


@pytest.mark.parametrize(("cores", "openers"), [(None, 0), (1, 0), (2, 2), (OPENERS_MAX + 1, OPENERS_MAX)])
def test_openers_pay_for_long_exports_on_more_than_one_core(
    cores: int | None, openers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert openers_for(OPENERS_FROM_BYTES - 1) == 0
    assert openers_for(OPENERS_FROM_BYTES) == openers
