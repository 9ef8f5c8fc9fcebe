"""A settlement in the log: its entries and its record, and an export of all of it that verifies."""

import io
import json
from typing import Any
from unittest.mock import patch

from ledger.crypto.canonical import b64url_decode
from ledger.log.verify import verify_export
from ledger.model.outcome import Outcome
from ledger.model.transactions import reference_time_us
from ledger.state import Table
from ledger.units import BusinessDate
from settlement.rules import RULEBOOK
from settlement.rules.settlement_settings import CutOffSet
from settlement.rules.tables import CLAIMS, FAILS, INSTRUCTIONS, RESERVED, REVERSALS
from tests.book import Book
from tests.log.scribe import Scribe
from tests.settlement.instructed import (
    QUANTITY,
    allocate,
    batch,
    cancel,
    complete,
    match,
    pass_time,
    release,
    reverse,
    terms,
    withdraw,
)
from tests.settlement.market import DAY_US, accepted, market


def played() -> tuple[Book, list[bytes]]:
    """A day with every kind of settlement, and what was submitted."""
    submissions: list[bytes] = []
    decide = Book.decide

    def noted(self: Book, raw: bytes) -> Outcome:
        submissions.append(raw)
        return decide(self, raw)

    with patch.object(Book, "decide", noted):
        book = market()
        for number in range(6):
            match(book, f"T-{number}", terms(book, quantity=QUANTITY // 10))
        for trade in ("T-0", "T-4"):
            accepted(allocate(book, trade))
        accepted(complete(book, "T-0"))
        batch(book, "T-1", "T-9")
        accepted(batch(book, "T-1", "T-2"))
        assert cancel(book, "T-3") == "accepted"
        assert reverse(book, "T-2", quantity=QUANTITY // 10) == "accepted"
        withdraw(book, "MBTC", "miner-one", 10**9)
        accepted(book.submit("cut_off_set", CutOffSet(minutes=60), by="aix-one"))
        accepted(allocate(book, "T-5"))
        pass_time(book, DAY_US // 2)
        accepted(release(book, "T-4"))
        accepted(book.close_day(BusinessDate("2024-12-28")))
    return book, submissions


def test_a_day_of_settlement_replays_and_verifies() -> None:
    book, submissions = played()
    scribe = Scribe(RULEBOOK, document=book.document)
    for raw in submissions:
        # Time may have passed between two submissions; the log keeps the times of its own blocks.
        scribe.time_us = max(scribe.time_us, reference_us(raw))
        scribe.decide(raw)
    tables: tuple[Table[Any], ...] = (INSTRUCTIONS, FAILS, REVERSALS, CLAIMS, RESERVED)
    for table in tables:
        assert dict(scribe.state.items(table)).keys() == dict(book.state.items(table)).keys()
    statuses = [str(found.status) for _, found in sorted(scribe.state.items(INSTRUCTIONS))]
    assert statuses == ["settled", "settled", "reversed", "cancelled", "failed", "allocated"]
    report = verify_export(io.BytesIO(scribe.export()), rulebooks={1: RULEBOOK}, network=scribe.network)
    assert report.is_network_pinned


def reference_us(raw: bytes) -> int:
    """The time in the reference of a submission, which is the book's when it was made."""
    return int(reference_time_us(json.loads(b64url_decode(json.loads(raw)["payload"]))["reference"]))
