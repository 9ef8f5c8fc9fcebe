"""An exchange that lost its licence and is wound down by the auditor, for tests, on top of ``market``."""

from typing import Any

from ledger.model.outcome import Outcome
from ledger.units import ParticipantId
from settlement.model.registers import Register
from settlement.rules.winddown import WinddownClose, WinddownOpen, WinddownPay, WinddownUnwind
from tests.book import Book, key_of, wallet
from tests.settlement.instructed import EXCHANGE
from tests.settlement.market import accepted, account, holder_key, suspend

MINISTRY = ("ministry-1", "ministry-2")
AUDITOR = ("auditor-1", "auditor-2")


def lose_licence(book: Book, *, until_us: int | None = None) -> None:
    """The exchange is suspended from now on."""
    suspend(book, Register.EXCHANGE, "aix-one", book.time_us, until_us=until_us)


def open_winddown(book: Book, administrator: str = "auditor", exchange: str = "aix-one") -> Outcome:
    body = WinddownOpen(exchange=ParticipantId(exchange), administrator=ParticipantId(administrator), order="AFSA-9")
    return book.submit("winddown_open", body, by="ministry", signers=MINISTRY)


def wound_down(book: Book) -> Book:
    """The exchange is suspended and its wind-down open."""
    lose_licence(book)
    accepted(open_winddown(book))
    return book


def close_winddown(book: Book) -> Outcome:
    body = WinddownClose(exchange=EXCHANGE, order="AFSA-10")
    return book.submit("winddown_close", body, by="ministry", signers=MINISTRY)


def unwind(book: Book, *trades: str, by: str = "auditor") -> Outcome:
    body = WinddownUnwind(exchange=EXCHANGE, trades=trades, order="AFSA-9")
    return book.submit("winddown_unwind", body, by=by, signers=(f"{by}-1", f"{by}-2"))


def pay_out(
    book: Book,
    *,
    by: str = "auditor",
    signed_by: str | None = "client-a",
    signers: tuple[str, ...] = (),
    **members: Any,
) -> str:
    """Pay 100 tiyn of client-a to its wallet at bank-a, with its own signature; ``signed_by`` None: without."""
    whole: dict[str, Any] = {
        "exchange": EXCHANGE,
        "account": account("AKZT"),
        "credit": wallet("601", 1),
        "holder": "holder-1",
        "amount": 100,
        "holder_key": None if signed_by is None else key_of(holder_key(signed_by)).public.x,
    } | members
    names = [f"{by}-1", f"{by}-2", "bank-a-1"]
    names += [] if signed_by is None else [holder_key(signed_by)]
    names += ["ministry-1"] if whole.get("order") is not None and by != "ministry" else []
    return book.end("winddown_pay", WinddownPay(**whole), by=by, signers=signers or tuple(names))
