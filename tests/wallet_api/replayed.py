"""A node that went through what a book of the tests went through: every submission again, over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.model.outcome import Outcome
from ledger.model.participants import Role
from settlement.model.authorities import Authority
from settlement.rules.authorities import AuthorityRegister
from tests.book import Book
from tests.settlement.market import accepted
from tests.wallet_api.door import JOSE, Door, make_folder, open_door

AUTHORITIES = {
    "tax-authority": (Authority.TAX_AUTHORITY, "711"),
    "afsa": (Authority.AFSA, "712"),
    "afm": (Authority.AFM, "713"),
    "nobody": (None, "714"),
}
"""Supervisors beside ``ministry``, what each is, and its code."""


def register_authorities(book: Book) -> None:
    """Admit a supervisor for each authority, and put all of them on the register but one."""
    for name, (_, code) in AUTHORITIES.items():
        accepted(book.admit(name, Role.SUPERVISOR, code))
    named = {"ministry": Authority.MINISTRY} | {name: each for name, (each, _) in AUTHORITIES.items() if each}
    for participant, authority in named.items():
        body = AuthorityRegister(participant=participant, authorities=(authority,), order="decree-1")  # type: ignore[arg-type]
        signers = ("operator-1", "operator-2", "issuer-1", "issuer-2")
        accepted(book.submit("authority_register", body, by="operator", signers=signers))


@contextmanager
def replayed_door(folder: Path, play: Callable[[], Book], **settings: Any) -> Iterator[Door]:
    """Open a node on which everything has happened that ``play`` has a book decide."""
    sent: list[tuple[int, bytes]] = []
    decide = Book.decide

    def decide_and_keep(book: Book, raw: bytes) -> Outcome:
        outcome = decide(book, raw)
        sent.append((book.time_us, raw))
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Book, "decide", decide_and_keep)
        book = play()
    make_folder(folder, book.document)
    with open_door(folder, **settings) as opened:
        for time_us, raw in sent:
            if opened.parts.now_us() < time_us:
                assert opened.client.post("/sandbox/v1/clock", json={"set_us": time_us}).status_code == 200
            assert opened.client.post("/v1/transactions", content=raw, headers=JOSE).status_code in {201, 422}
        yield opened
