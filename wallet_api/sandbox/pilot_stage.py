"""What the acts of the pilot day share: everyone's clients, the scripted clock, the record of what happened."""

import datetime
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Protocol, Self

from ledger.clock import ScriptedClock
from ledger.crypto.keys import PrivateKey
from ledger.log.receipts import Receipt
from ledger.model.accounts import iban
from ledger.units import AccountId, TimestampUs
from settlement.model.local_time import start_of
from wallet_api.client import Problem, Refused, TengeClient, TrustedLog, sign
from wallet_api.sandbox.network import KAZAKHSTAN_OFFSETS, KeyMaker, Member, Network
from wallet_api.sandbox.pilot_plan import Scale

MINUTE_US: Final = 60_000_000
"""Microseconds in a minute."""


class UnexpectedEnd(Exception):
    """The pilot met another end than its plan says; expected and got."""


class Show(Protocol):
    """Where the pilot tells what it is doing."""

    def act(self, title: str) -> None:
        """A part of the day begins."""

    def step(self, text: str) -> None:
        """Something happened."""

    def refused(self, text: str, code: str) -> None:
        """Something was refused, as it must be."""

    def bar(self, text: str, total: int) -> Callable[[int], None]:
        """Work of known length begins; call what is returned with each piece done."""


@dataclass(slots=True)
class Tally:
    """What happened, counted; figures of speed by name. Safe between threads."""

    accepted: dict[str, int] = field(default_factory=dict)
    """Accepted transactions by kind."""
    lines: dict[str, int] = field(default_factory=dict)
    """Their lines by kind, where one signature covers many."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """What was tried and refused as planned, with its code."""
    speeds: list[tuple[str, int, float]] = field(default_factory=list)
    """What, how many, in how many seconds."""
    facts: list[tuple[str, str]] = field(default_factory=list)
    """What of, and what came out."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, receipt: Receipt) -> None:
        """Count an acceptance."""
        with self._lock:
            self.accepted[receipt.kind] = self.accepted.get(receipt.kind, 0) + 1
            self.lines[receipt.kind] = self.lines.get(receipt.kind, 0) + receipt.leaf_count


class Stage:
    """The pilot's institutions, ready to act."""

    def __init__(
        self,
        network: Network,
        base_url: str,
        *,
        show: Show,
        scale: Scale,
        holder_keys: KeyMaker,
        time_us: TimestampUs,
    ) -> None:
        """Make a client for everyone.

        Args:
            network: with the private keys of everyone in the plan.
            base_url: address of the node.
            show: where to tell what happens.
            scale: how much is played.
            holder_keys: makes the holder keys of buyers and miners.
            time_us: the node's scripted time now.
        """
        self.network = network
        self.base_url = base_url
        self.show = show
        self.scale = scale
        self.tally = Tally()
        self.holder_key = holder_keys
        self.clock = ScriptedClock(time_us)
        trusted = TrustedLog.from_genesis(network.document)
        self._clients = {
            name: TengeClient(
                base_url,
                trusted=trusted,
                participant=name,
                signers=member.signers(),
                authentication_key=member.authentication,
                checks="lazily",
                time_us=self.clock.now_us,
            )
            for name, member in network.members.items()
        }

    def __enter__(self) -> Self:
        """Use it as a context: connections are closed at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()

    def client(self, participant: str) -> TengeClient:
        """Return an institution's client."""
        return self._clients[participant]

    def member(self, participant: str) -> Member:
        """Return an institution with its keys."""
        return self.network.members[participant]

    def do(self, participant: str, kind: str, body: object, *, cosigners: Sequence[PrivateKey] = ()) -> Receipt:
        """Have something done that must be accepted.

        Raises:
            UnexpectedEnd: it was not.
        """
        try:
            receipt = self.client(participant).submit(kind, body, cosigners=cosigners)
        except (Refused, Problem) as error:
            raise UnexpectedEnd(f"{participant} sends {kind}: expected acceptance, got {error}") from error
        self.tally.count(receipt)
        return receipt

    def do_as_holder(self, participant: str, kind: str, body: object, key: PrivateKey) -> Receipt:
        """Have something done under a participant's name that its holder's key alone signs, and must be accepted.

        Raises:
            UnexpectedEnd: it was not.
        """
        client = self.client(participant)
        try:
            receipt = client.submit_signed(sign(client.prepare(kind, body), [key]))
        except (Refused, Problem) as error:
            raise UnexpectedEnd(f"a holder at {participant} sends {kind}: expected acceptance, got {error}") from error
        self.tally.count(receipt)
        return receipt

    def must_be_refused(
        self,
        text: str,
        code: str,
        participant: str,
        kind: str,
        body: object,
        *,
        cosigners: Sequence[PrivateKey] = (),
    ) -> None:
        """Have something tried that must be refused, or not even be admissible, with a code.

        Raises:
            UnexpectedEnd: it met another end.
        """
        try:
            receipt = self.client(participant).submit(kind, body, cosigners=cosigners)
        except (Refused, Problem) as error:
            if error.code != code:
                raise UnexpectedEnd(f"{text}: expected {code}, got {error}") from error
            self.tally.refused.append((text, code))
            self.show.refused(text, code)
            return
        raise UnexpectedEnd(f"{text}: expected {code}, got an acceptance at leaf {receipt.sequence}")

    def move_to(self, date: str, hour: int, minute: int = 0) -> TimestampUs:
        """Move the ledger's clock ahead to a local time in Kazakhstan; returns that time."""
        time_us = local_time_us(date, hour, minute)
        self.client("operator").set_clock(time_us)
        self.clock.set_us(time_us)
        return time_us

    def check_logs(self) -> None:
        """Have every institution demand that all it was shown comes from one log."""
        for client in self._clients.values():
            client.check_consistency()


def local_time_us(date: str, hour: int, minute: int = 0) -> TimestampUs:
    """Return the moment of a local time in Kazakhstan."""
    midnight_us = start_of(KAZAKHSTAN_OFFSETS, datetime.date.fromisoformat(date))
    return TimestampUs(midnight_us + (hour * 60 + minute) * MINUTE_US)


def own_account(member: Member) -> AccountId:
    """The institution's own account."""
    return iban(member.code, "OWN0000000000")


def account_of(member: Member, name: str) -> AccountId:
    """An account that the institution keeps, by a short name of at most thirteen capitals and digits."""
    return iban(member.code, name.upper().replace("-", "").rjust(13, "0"))
