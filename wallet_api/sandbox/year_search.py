"""The supervisor of the simulated year looks for sham sales: a sieve over each day's flows, then the exact search.

The sieve asks which miners' wallets paid into client accounts. For those alone their sales of the last days are looked
at, through all that moved meanwhile; what is found is flagged, and decided after two weeks.
"""

import datetime
from collections import deque
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from ledger.model.journal import EntryLeaf, Leaf, Side
from ledger.rules.tables import ACCOUNTS
from ledger.seen import Seen
from ledger.state import State, Table
from ledger.units import TimestampUs
from settlement.model.claims import Verdict
from settlement.quota.flags import Alert
from settlement.rules.claims import ClaimDecide, ClaimFlagging
from settlement.rules.tables import CLAIMS
from settlement.views.quota_alerts import quota_alerts
from wallet_api.sandbox.year_opening import YearTown
from wallet_api.sandbox.year_plan import SUPERVISOR

DAYS_BACK: Final = 3
"""How long after a sale a return is looked for: the 72 hours of the policy."""

DECIDED_AFTER: Final = datetime.timedelta(days=14)
"""How long a claim is held before somebody decides."""

RESTORED_OF: Final = 5
"""One of so many flagged claims is restored, most others are disqualified."""

UNDECIDED_OF: Final = 7
"""One of so many is left undecided, and stays held."""

_decoder: Final = msgspec.json.Decoder(Leaf)
_TRANSFER: Final = b'"kind":"transfer"'

Row = TypeVar("Row")


@dataclass(slots=True)
class Findings:
    """What was found."""

    searched: int = 0
    """Sales that were looked at."""
    flagged: dict[str, str] = field(default_factory=dict)
    """Claim to the reason."""
    disqualified: int = 0
    restored: int = 0


class Search:
    """Looks, flags, decides."""

    def __init__(self, town: YearTown) -> None:
        """Look in a town."""
        self.findings = Findings()
        self._town = town
        self._days: deque[list[bytes]] = deque(maxlen=DAYS_BACK + 1)
        self._since: deque[TimestampUs] = deque(maxlen=DAYS_BACK + 1)
        self._due: dict[str, list[Alert]] = {}
        self._came_up = 0
        """Flagged claims whose day of decision has come."""
        self._wallets = {town.wallet(miner): miner.name for miner in town.plan.miners}
        town.ledger.watched = []

    def finish_day(self, date: datetime.date, began_us: TimestampUs) -> None:
        """Look at what moved on a day, and decide what is due."""
        ledger = self._town.ledger
        ledger.flush()
        assert ledger.watched is not None, "the search began to watch"
        self._days.append(ledger.watched)
        self._since.append(began_us)
        ledger.watched = []
        for miner in sorted(self._suspects()):
            self._look(miner, date)
        self._decide(self._due.pop(date.isoformat(), []))
        ledger.flush()

    def _suspects(self) -> Set[str]:
        """Miners whose wallets paid into accounts of clients."""
        found = set()
        for raw in self._days[-1]:
            if _TRANSFER not in raw:
                continue
            leaf = _decoder.decode(raw)
            if not isinstance(leaf, EntryLeaf):
                continue
            debit = next(each.account for each in leaf.postings if each.side is Side.DEBIT)
            credit = next(each.account for each in leaf.postings if each.side is Side.CREDIT)
            account = self._town.ledger.state.get(ACCOUNTS, credit)
            if debit in self._wallets and account is not None and account.account_class == "client_segregated":
                found.add(self._wallets[debit])
        return found

    def _look(self, miner: str, date: datetime.date) -> None:
        state = self._town.ledger.state
        claims = {
            key
            for key, claim in state.items(CLAIMS)
            if claim.miner == miner and claim.settled_us >= self._since[0] and key not in self.findings.flagged
        }
        self.findings.searched += len(claims)
        leaves = [_decoder.decode(raw) for day in self._days for raw in day]
        for alert in quota_alerts(_ClaimsOf(state, claims), leaves):
            self.findings.flagged[alert.claim] = alert.reason.value
            body = ClaimFlagging(claim=alert.claim, reason=alert.reason, evidence=alert.evidence)
            self._town.ledger.send("claim_flag", body, SUPERVISOR.participant)
            self._due.setdefault((date + DECIDED_AFTER).isoformat(), []).append(alert)

    def _decide(self, due: list[Alert]) -> None:
        for alert in due:
            self._came_up += 1
            number = self._came_up
            if number % UNDECIDED_OF == 0:
                continue
            verdict = Verdict.RESTORE if number % RESTORED_OF == 0 else Verdict.DISQUALIFY
            self.findings.restored += verdict is Verdict.RESTORE
            self.findings.disqualified += verdict is Verdict.DISQUALIFY
            body = ClaimDecide(
                claim=alert.claim, verdict=verdict, reason=alert.reason, order=f"order-{number}", decisions=0, flags=1
            )
            self._town.ledger.send("claim_decide", body, SUPERVISOR.participant, signers=2)


@dataclass(frozen=True, slots=True)
class _ClaimsOf:
    """A state in which there are no other claims than some."""

    state: State
    claims: Set[str]

    def get(self, table: Table[Row], key: str) -> Row | None:
        return self.state.get(table, key)

    def get_many(self, table: Table[Row], keys: Set[str]) -> dict[str, Row]:
        return self.state.get_many(table, keys)

    def items(self, table: Table[Row]) -> Iterator[tuple[str, Row]]:
        rows = self.state.items(table)
        return rows if table != CLAIMS else ((key, row) for key, row in rows if key in self.claims)

    def group(self, table: Table[Row], name: str) -> Iterator[tuple[str, Row]]:
        rows = self.state.group(table, name)
        return rows if table != CLAIMS else ((key, row) for key, row in rows if key in self.claims)

    def seen(self, key: bytes, reference_time_us: TimestampUs) -> Seen | None:
        return self.state.seen(key, reference_time_us)
