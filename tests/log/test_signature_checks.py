"""Signature checks in other processes: they vouch for what holds and for nothing else, and nobody depends on them."""

import io
import os
import subprocess
import sys
from typing import Final

import msgspec
import pytest

from ledger.log import signature_checks as signature_checks_module
from ledger.log import verify
from ledger.log.messages import read_message, write_message
from ledger.log.signature_checks import SignatureChecks, signature_checks
from ledger.log.signature_worker import Task, holds
from ledger.log.verify import WORKERS_FROM_BYTES, workers_for
from ledger.model.participants import Role
from ledger.rules.tables import KEYS
from tests.book import Book, own_account, pilot_book, wallet
from tests.log.exports import fault_in, verified
from tests.log.node import populate
from tests.log.scribe import Scribe
from tests.rules.bodies import pay

RICH: Final = own_account("601")


@pytest.fixture(scope="module")
def book() -> Book:
    return pilot_book()


def submissions_of(book: Book, count: int = 3) -> list[bytes]:
    return [book.signed("transfer", pay(RICH, wallet("601", 1), 1 + n), by="bank-a") for n in range(count)]


def with_false_signature(submission: bytes) -> bytes:
    """The same payload with the last letter but one of its signature changed."""
    place = submission.rindex(b'"}]}') - 2
    return submission[:place] + (b"A" if submission[place : place + 1] != b"A" else b"B") + submission[place + 1 :]


def test_a_submission_holds_if_every_signature_is_by_a_known_key(book: Book) -> None:
    (good,) = submissions_of(book, 1)
    keys = {kid: key.x for kid, key in book.state.items(KEYS)}
    assert holds(good, keys)
    assert not holds(with_false_signature(good), keys)
    assert not holds(good, {})
    assert not holds(good, dict.fromkeys(keys, "short"))
    assert not holds(b"{}", keys)


def test_workers_take_blocks_in_turns_and_answer_in_order(book: Book) -> None:
    good = submissions_of(book)
    with signature_checks(2) as checks:
        asked = [good, [], [good[0], with_false_signature(good[1])], [b"{}"], good[:1]]
        for submissions in asked:
            checks.ask(submissions, book.state)
        assert [checks.answer() for _ in asked] == [b"\1\1\1", b"", b"\1\0", b"\0", b"\1"]


def test_keys_admitted_later_are_told_with_the_next_block() -> None:
    book = pilot_book()
    with signature_checks(1) as checks:
        checks.ask(submissions_of(book, 1), book.state)
        assert checks.answer() == b"\1"
        book.admit("late-bank", Role.INTERMEDIARY, "699")
        late = book.signed("transfer", pay(RICH, wallet("601", 1), 5), by="late-bank")
        checks.ask([late], pilot_book().state)
        assert checks.answer() == b"\0"
        checks.ask([late], book.state)
        assert checks.answer() == b"\1"


def test_without_workers_nobody_vouches_for_anything(book: Book) -> None:
    checks = SignatureChecks(0)
    checks.ask(submissions_of(book), book.state)
    assert checks.answer() == b""


def test_a_worker_that_is_gone_vouches_for_nothing_and_stops_nobody(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with signature_checks(2) as checks:
        for _ in range(3):
            checks.ask(submissions_of(book), book.state)
        assert [checks.answer() for _ in range(3)] == [b"", b"", b""]


def test_a_worker_killed_in_the_middle_is_done_without(book: Book) -> None:
    with signature_checks(1) as checks:
        checks.ask(submissions_of(book), book.state)
        assert checks.answer() == b"\1\1\1"
        (worker,) = checks._workers
        worker._process.kill()
        worker._process.wait()
        for _ in range(2):
            checks.ask(submissions_of(book), book.state)
            assert checks.answer() == b""


def test_a_worker_is_not_asked_more_than_its_answers_have_room_for(book: Book) -> None:
    with signature_checks(1) as checks:
        checks.ask([b'""'] * (signature_checks_module.UNANSWERED_MAX + 1), book.state)
        assert checks.answer() == b""
        checks.ask([b'""'] * signature_checks_module.UNANSWERED_MAX, book.state)
        checks.ask(submissions_of(book, 1), book.state)
        assert checks.answer() == bytes(signature_checks_module.UNANSWERED_MAX)
        assert checks.answer() == b""
        checks.ask(submissions_of(book, 1), book.state)
        assert checks.answer() == b"\1"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_verification_says_the_same_with_workers_as_without(small: Scribe, workers: int) -> None:
    export = small.export()
    assert verified(export, network=small.network, workers=workers) == verified(export, network=small.network)
    for kept in range(len(small.blocks)):
        cut = b"".join(export.splitlines(keepends=True)[: kept + 1])
        assert fault_in(cut, workers=workers) == fault_in(cut)


def test_a_false_signature_is_found_at_its_place_with_workers_as_without() -> None:
    scribe = Scribe()
    populate(scribe)
    lines = scribe.export().splitlines(keepends=True)
    place = lines[-2].rindex(b'"signature":"') + len(b'"signature":"')
    letter = b"A" if lines[-2][place : place + 1] != b"A" else b"B"
    lines[-2] = lines[-2][:place] + letter + lines[-2][place + 1 :]
    fault = fault_in(b"".join(lines))
    assert "signature" in fault
    assert fault_in(b"".join(lines), workers=1) == fault


def test_reading_ahead_is_bounded_by_blocks_and_bytes(small: Scribe, monkeypatch: pytest.MonkeyPatch) -> None:
    export = small.export()
    for name, most in (("BLOCKS_AHEAD", 1), ("BLOCKS_AHEAD", 2), ("BYTES_AHEAD", 1)):
        with monkeypatch.context() as patched:
            patched.setattr(verify, name, most)
            assert verified(export, workers=1) == verified(export)


def test_workers_pay_for_long_exports_only() -> None:
    assert workers_for(WORKERS_FROM_BYTES - 1) == 0
    assert workers_for(WORKERS_FROM_BYTES) == max(1, (os.cpu_count() or 1) - 1)


def test_frames_are_read_as_written_and_a_cut_one_is_an_end() -> None:
    stream = io.BytesIO()
    for frame in (b"", b"one", bytes(70_000)):
        write_message(stream, frame)
    whole = stream.getvalue()
    stream.seek(0)
    assert [read_message(stream) for _ in range(4)] == [b"", b"one", bytes(70_000), None]
    for length in (1, 3, 4, 6, len(whole) - 1):
        cut = io.BytesIO(whole[:length])
        while (part := read_message(cut)) is not None:
            assert part in (b"", b"one")


def test_the_worker_is_a_program_that_ends_with_its_input(book: Book) -> None:
    stream = io.BytesIO()
    keys = {kid: key.x for kid, key in book.state.items(KEYS)}
    write_message(stream, msgspec.msgpack.encode(Task(keys, submissions_of(book, 2))))
    done = subprocess.run(
        [sys.executable, "-m", "ledger.log.signature_worker"], input=stream.getvalue(), capture_output=True, check=True
    )
    answers = io.BytesIO(done.stdout)
    assert [read_message(answers) for _ in range(3)] == [b"", b"\1\1", None]
