"""Opening ahead of a verification: what is found there is what the verification would find, and it can do without."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import wait
from typing import Final

import pytest

from ledger.log import verify
from ledger.log.opened_ahead import OpenedAhead, opened_ahead
from ledger.log.opener import Opened, Unfit
from ledger.log.opener_process import OpenerProcess
from ledger.log.replay import NOTHING_OPENED, OpenedBefore, Replay
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


def test_keys_admitted_later_are_told_with_the_next_block_and_all_again_where_one_is_lacking() -> None:
    early, book = pilot_book(), pilot_book()
    book.admit("late-bank", Role.INTERMEDIARY, "699")
    late = book.signed("transfer", pay(RICH, wallet("601", 1), 5), by="late-bank")
    (opener,) = counted(1)
    with opened_ahead([opener]) as ahead:
        for asked, replay in (
            (payments(early, 1), replay_of(early)),
            ([late], replay_of(early)),
            ([late], replay_of(book)),
            ([late], replay_of(book)),
        ):
            ahead.ask(asked, replay)
            last = waited_for(ahead)
    count = book.state.count(KEYS)
    assert kinds_of(last) == [Opened]
    assert opener.told == [early.state.count(KEYS), 0, count, 0]


def test_without_openers_nothing_is_opened() -> None:
    book = pilot_book()
    ahead = OpenedAhead(())
    ahead.ask(payments(book), replay_of(book))
    assert ahead.answer() is NOTHING_OPENED
    ahead.close()


def test_an_opener_that_cannot_run_or_is_killed_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert [ahead.answer() for _ in range(3)] == [NOTHING_OPENED] * 3
        ahead.ask(payments(book), replay_of(book))
        opener.gate.set()
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


def test_what_was_opened_by_other_rules_is_opened_again() -> None:
    scribe = Scribe()
    populate(scribe)
    replay = Replay(scribe.document, {CORE_RULEBOOK.version: CORE_RULEBOOK})
    for block in scribe.blocks:
        # Nothing of it would hold.
        replay.apply(block, before=OpenedBefore(CORE_RULEBOOK.version + 1, [Unfit("none", "of these rules")] * 9))
    assert replay.state.digest() == scribe.state.digest()


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
