"""Openers: processes that find of a submission exactly what the node would, and that the node can do without."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from io import BytesIO

import msgspec
import pytest

from ledger.crypto import jws
from ledger.log import opener, opener_process, opening
from ledger.log.messages import read_message, write_message
from ledger.log.opener import (
    Asked,
    Found,
    Opened,
    Unfit,
    decode_found,
    encode_asked,
    run_opener,
)
from ledger.log.opener_process import OpenerProcess
from ledger.log.queue import FairQueue
from ledger.rules.keys import KeyRevoke
from ledger.rules.opening import NotAdmissible, open_transaction
from ledger.rules.tables import BALANCES
from ledger.units import Kid
from tests.book import CORE_RULEBOOK, Book, key_of, pilot_book
from tests.log.node import A_ONE, A_OWN, ANSWER_S, B_ONE, pilot_node
from tests.log.stage import Gate, hold, refusal_of, transfer, wait_for_lines
from tests.rules.bodies import pay
from tests.rules.escrow import BOUND, CLIENT, EscrowPay, escrow_book, mandate

PROGRAM = """
import sys
from ledger.log.opener import run_opener
from tests.book import CORE_RULEBOOK
run_opener(sys.stdin.buffer, sys.stdout.buffer, {CORE_RULEBOOK.version: CORE_RULEBOOK}, sys.argv[1])
"""

EMPTY = "import sys; sys.stdout.buffer.write(bytes(3) + b'\\x01\\x90'); sys.stdout.flush(); input()"
"""Answers for none of those asked."""


SPOILT = (
    "import sys; sys.stdout.buffer.write(bytes(3) + b'\\x08\\x91\\x93\\xa1n\\xa1\\xff\\xa1x');"
    "sys.stdout.flush(); input()"
)
"""Answers with a text that is not UTF-8."""


class Watched(OpenerProcess):
    """An opener whose answers are kept."""

    def __init__(self, network: str, *, program: str = PROGRAM) -> None:
        super().__init__([sys.executable, "-c", program, network])
        self.found: list[Found] = []

    def ask(self, raws: list[bytes], rulebook: int) -> Sequence[Found]:
        found = super().ask(raws, rulebook)
        self.found += found
        return found

    @property
    def pid(self) -> int:
        assert self._process is not None, "it runs"
        return self._process.pid


@pytest.fixture
def watched() -> Iterator[Watched]:
    opener = Watched(Book(CORE_RULEBOOK).network)
    yield opener
    opener.stop()


def with_false_signature(raw: bytes) -> bytes:
    """The same submission with one letter of its signature changed, whatever it was."""
    return raw[:-10] + (b"B" if raw[-10:-9] == b"A" else b"A") + raw[-9:]


def here(book: Book, raw: bytes, keys: dict[Kid, str]) -> Found:
    """What the opener should find, as the node itself finds it."""
    try:
        opened = open_transaction(raw, rulebook=CORE_RULEBOOK, network=book.network, key_of=keys.get)
    except NotAdmissible as error:
        return Unfit(error.code, error.detail)
    return Opened.of(opened, raw)


def submissions(book: Book) -> list[bytes]:
    """Good ones, and one for each way to be none."""
    good = book.signed("transfer", pay(A_OWN, A_ONE, 7), by="bank-a")
    payload = jws.parse(good, typ=jws.TYP_TRANSACTION).payload
    key = key_of("bank-a-1")

    def signed(text: bytes, typ: str = jws.TYP_TRANSACTION) -> bytes:
        return jws.serialize(jws.sign(text, [key], typ=typ))

    return [
        good,
        b" " + good,
        book.sign(book.transaction("transfer", pay(A_OWN, A_ONE, 8), by="bank-a"), [key, key_of("bank-b-1")]),
        b"{}",
        b"\xff",
        signed(payload, jws.TYP_MANDATE),
        signed(b" " + payload),
        signed(payload.replace(b'"transfer"', b'"nonesuch"')),
        signed(payload.replace(book.network.encode(), b"other:" + b"A" * 43)),
        with_false_signature(good),
    ]


def test_an_opener_finds_what_the_node_itself_would(watched: Watched) -> None:
    book = pilot_book()
    keys = {Kid(key_of(name).public.kid): key_of(name).public.x for name in ("bank-a-1", "bank-b-1")}
    raws = submissions(book)
    watched.start()
    watched.learn(keys)
    found = watched.ask(raws, CORE_RULEBOOK.version)
    assert found == [here(book, raw, keys) for raw in raws]
    opened = [(raw, each) for raw, each in zip(raws, found, strict=True) if isinstance(each, Opened)]
    assert len(opened) == 3
    for raw, each in opened:
        assert each.signed(CORE_RULEBOOK, raw) == book.open(raw)
    # The canonical form is sent back only where it is another one.
    assert [each.submission == b"" for _, each in opened] == [True, False, True]


def test_a_mandate_travels_with_its_transaction() -> None:
    book = escrow_book()
    body = EscrowPay(debit=BOUND, credit=CLIENT, amount=1, mandate=mandate(book))
    signed = book.open(book.signed("escrow_pay", body, by="bank-a"))
    assert signed.mandates
    (found,) = decode_found(msgspec.msgpack.encode([Opened.of(signed, signed.submission)]))
    assert isinstance(found, Opened)
    assert found.signed(book.rulebook, signed.submission) == signed


def test_what_lacks_a_key_is_left_to_the_node_and_keys_are_kept_in_a_limited_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opener, "KEYS_KEPT_MAX", 2)
    book = pilot_book()
    raw = book.signed("transfer", pay(A_OWN, A_ONE, 7), by="bank-a")
    told = {Kid(key_of("bank-a-1").public.kid): key_of("bank-a-1").public.x}
    others = {Kid(name): key_of(name).public.x for name in ("one", "two")}
    source, sink = BytesIO(), BytesIO()
    for keys in ({}, told, {}, others):
        write_message(source, encode_asked(Asked(CORE_RULEBOOK.version, keys, [raw])))
    source.seek(0)
    run_opener(source, sink, {CORE_RULEBOOK.version: CORE_RULEBOOK}, book.network)
    sink.seek(0)
    answers = [decode_found(message) for message in iter(lambda: read_message(sink), None)]
    assert [answer[0] is None for answer in answers] == [True, False, False, True]


def test_a_message_cut_short_is_the_end() -> None:
    assert read_message(BytesIO(b"\0\0\0\5ab")) is None
    assert read_message(BytesIO(b"\0\0")) is None


def test_a_node_with_an_opener_decides_as_one_without(url: str, watched: Watched) -> None:
    with pilot_node(url, openers=[watched]) as node:
        first, second = transfer(node), transfer(node)
        assert node.receipt(first).outcome == "accepted"
        assert node.receipt(second).outcome == "accepted"
        # The second one came when the key was known.
        assert isinstance(watched.found[-1], Opened)
        assert refusal_of(node.send(with_false_signature(second))) == "signature_invalid"
        assert isinstance(watched.found[-1], Unfit)
        assert node.receipt(second) == node.receipt(second)
        assert node.state.get(BALANCES, A_ONE) == 2


def test_a_long_submission_is_opened_by_the_node(url: str, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SENT_BYTES_MAX", 10)
    with pilot_node(url, openers=[watched]) as node:
        assert node.receipt(transfer(node)).outcome == "accepted"
        assert watched.found == []


def test_a_node_does_without_an_opener_that_died_until_it_is_back(
    url: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(url, openers=[watched]) as node:
        assert node.receipt(transfer(node)).outcome == "accepted"
        os.kill(watched.pid, signal.SIGKILL)
        for _ in range(2):
            assert node.receipt(transfer(node)).outcome == "accepted"
        monkeypatch.setattr(opener_process, "RESTART_AFTER_S", 0.0)
        watched._not_before = 0.0
        for _ in range(2):
            assert node.receipt(transfer(node)).outcome == "accepted"
        assert isinstance(watched.found[-1], Opened)


def test_an_opener_that_hangs_is_ended(url: str, watched: Watched) -> None:
    with pilot_node(url, openers=[watched]) as node:
        assert watched._socket is not None
        watched._socket.settimeout(0.05)
        pid = watched.pid
        os.kill(pid, signal.SIGSTOP)
        assert node.receipt(transfer(node)).outcome == "accepted"
        assert watched._process is None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(
    "program",
    ["print('nonsense', flush=True); input()", "print('\\0\\0\\0\\1?', end='', flush=True); input()", "0", SPOILT],
)
def test_an_opener_that_answers_nonsense_is_not_believed(
    url: str, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opener_process, "ANSWER_WITHIN_S", 0.5)
    with pilot_node(url, openers=[Watched("", program=program)]) as node:
        assert node.receipt(transfer(node)).outcome == "accepted"


def test_an_opener_that_cannot_be_started_is_missed_by_nobody(url: str) -> None:
    with pilot_node(url, openers=[OpenerProcess(["/nonexistent"])]) as node:
        assert node.receipt(transfer(node)).outcome == "accepted"


def test_an_opener_that_does_not_end_is_killed(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opener_process, "STOP_WITHIN_S", 0.05)
    watched.start()
    pid = watched.pid
    os.kill(pid, signal.SIGSTOP)
    watched.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_whose_share_is_full_is_turned_away_without_a_signature_check_and_may_still_revoke(
    url: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pilot_node(url, around=gate.around, queue=FairQueue(participant_items_max=2)) as node:
        node.pay("bank-a", A_OWN, B_ONE, 100)
        held = hold(node, gate)
        sent = [node.send(transfer(node)) for _ in range(2)]
        wait_for_lines(node, 2)

        def fault(*_: object, **__: object) -> None:
            raise AssertionError("it was opened")

        other = node.signed("transfer", pay(B_ONE, A_ONE, 1), by="bank-b")
        with monkeypatch.context() as patch:
            patch.setattr(opening, "open_transaction", fault)
            assert node.problem(transfer(node)) == "queue_full"
        sent.append(node.send(other))
        assert refusal_of(node.send(b"{}")) == "jws_malformed"
        revoke = KeyRevoke(kid=Kid(key_of("bank-a-2").public.kid), reason="order-17")
        revoked = node.send(node.signed("key_revoke", revoke, by="bank-a"))
        wait_for_lines(node, 3)
        gate.open()
        for each in (held, revoked, *sent):
            assert each.result(ANSWER_S).outcome == "accepted"
        assert node.receipt(transfer(node)).outcome == "accepted"
