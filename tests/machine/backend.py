"""What the state machine drives: anything that takes signed transactions and says how each ended."""

from dataclasses import dataclass, field
from typing import Protocol

from ledger.model.outcome import Accepted, Inadmissible, Refused
from ledger.rules.invariants import check_conservation
from ledger.rules.opening import NotAdmissible
from ledger.rules.tables import BALANCES
from tests.book import START_US, Book


@dataclass(frozen=True)
class End:
    """How one submission ended."""

    kind: str
    """``problem``, ``refused``, ``accepted`` or ``duplicate``."""
    code: str = ""
    """Of a problem or refusal; empty otherwise."""
    line: int = 0
    """First failing line of a refused atomic bulk, first unfit account of a refused opening."""
    refused_lines: dict[int, str] = field(default_factory=dict)
    """Of an accepted independent bulk."""


class Backend(Protocol):
    """A ledger that starts from a genesis document of `tests.book`, with the core's rulebook.

    Versions 1 to 3 of the rules are all the core's; log keys are those of `tests.book.key_of`.
    """

    network: str
    """Id of the network."""

    def submit(self, raw: bytes, at_us: int) -> End:
        """Decide one submission in a block of its own at a ledger time; times ascend."""

    def restart(self) -> None:
        """Come back with what was kept, and nothing else."""

    def balances(self) -> dict[str, int]:
        """All balances but those of zero; raises if money was created or lost."""

    def check_replay(self) -> None:
        """Compare the state with what the kept submissions make of the genesis document, by digest."""

    def close(self) -> None:
        """End; what was kept is checked once more."""


class BookBackend:
    """The pure core in this process; a restart reads the state back from its dump."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._book = Book(document=document)
        self._kept: list[tuple[bytes, int]] = []
        self.network = self._book.network

    def submit(self, raw: bytes, at_us: int) -> End:
        assert at_us > self._book.time_us >= START_US
        self._book.time_us = at_us - 1_000_000
        self._kept.append((raw, self._book.time_us))
        try:
            outcome = self._book.decide(raw)
        except NotAdmissible as problem:
            return End("problem", problem.code)
        match outcome:
            case Inadmissible(code):
                return End("problem", code)
            case Refused(refusal, line):
                return End("refused", refusal.code, line)
            case Accepted(_, refused_lines):
                return End("accepted", refused_lines={line: code.code for line, code in refused_lines.items()})
        return End("duplicate")

    def restart(self) -> None:
        self._book.restart()

    def balances(self) -> dict[str, int]:
        check_conservation(self._book.state)
        return {account: balance for account, balance in self._book.state.items(BALANCES) if balance}

    def check_replay(self) -> None:
        replayed = Book(document=self._document)
        for raw, time_us in self._kept:
            replayed.time_us = time_us
            replayed.attempt(raw)
        assert replayed.state.digest() == self._book.state.digest()

    def close(self) -> None:
        self.check_replay()
