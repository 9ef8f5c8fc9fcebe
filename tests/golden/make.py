"""Make the golden log anew: ``python -m tests.golden.make``.

The log is kept in ``log.jsonl``, what must come of it in ``outcome.json``, both beside this file. Keys, times and
salts are the same in every run, so the files only change where the story or the rules do.

Do this only before the first release, or to add a log of a newer version of the rules under another name: once
released, the rules may grow, but what they decided must be decided so for ever. A release whose rules say otherwise
is a new version of the rulebook beside the old one, and this log still replays under the old one.
"""

import json
from pathlib import Path
from typing import Final
from unittest.mock import patch

from ledger.model.outcome import Outcome
from settlement.rules import RULEBOOKS
from tests.book import Book
from tests.golden.play import play, together
from tests.log.scribe import Scribe

LOG: Final = Path(__file__).with_name("log.jsonl")
OUTCOME: Final = Path(__file__).with_name("outcome.json")


def main() -> None:
    """Play the story, write its submissions into blocks, and keep them."""
    book, submissions = _played()
    scribe = Scribe(RULEBOOKS[1], rulebooks=RULEBOOKS, document=book.document)
    for raw in submissions:
        scribe.decide(raw)
    assert scribe.state.digest() == book.state.digest(), "the story goes the same in the log"
    scribe.write(*together(book))
    LOG.write_bytes(scribe.export())
    outcome = {
        "network": scribe.network,
        "state": scribe.state.digest().hex(),
        "checkpoint": scribe.replay.checkpoint,
        "kinds": sorted(scribe.rulebook.kinds),
    }
    OUTCOME.write_text(json.dumps(outcome, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _played() -> tuple[Book, list[bytes]]:
    """The book after the story, and everything submitted to it."""
    submissions: list[bytes] = []
    decide = Book.decide

    def noted(self: Book, raw: bytes) -> Outcome:
        submissions.append(raw)
        return decide(self, raw)

    with patch.object(Book, "decide", noted):
        return play(), submissions


if __name__ == "__main__":
    main()
