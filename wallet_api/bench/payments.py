"""Payments of the load: who pays whom, drawn from a seed; some on one hot account, some that must be refused."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from ledger.crypto import canonical
from ledger.model.assets import TENGE
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.transfers import Transfer
from ledger.units import AccountId
from wallet_api.bench.world import World, prepared, signed
from wallet_api.client.signing import sign

AMOUNT_MAX_TIYN: Final = 10
"""Largest payment: even one account that pays all of a run never runs short."""

Pair = tuple[AccountId, AccountId, int]
"""Who pays, to whom, how much."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What the payments are made of; each share from 0 to 1."""

    contention: float = 0.0
    """Share of payments that one wallet makes; the others are drawn evenly."""
    invalid: float = 0.0
    """Share of payments that must be refused: from a wallet without money."""
    bad_signatures: float = 0.0
    """Share of single transfers that must be turned away: with a signature of something else."""


UNIFORM: Final = Mix()
"""Every payment between two wallets drawn evenly, all of them good."""

HOT: Final = Mix(contention=1.0)
"""One wallet pays them all."""


@dataclass(frozen=True, slots=True)
class Singles:
    """Signed single transfers, and how many of them must end in which way."""

    submissions: tuple[bytes, ...]
    refused: int
    """By the rules, with a receipt."""
    unsigned: int
    """At the door: the signature does not hold."""
    last_accepted: bytes | None
    """The last submission that must be accepted, if there is one."""

    @property
    def accepted(self) -> int:
        """All others."""
        return len(self.submissions) - self.refused - self.unsigned


@dataclass(frozen=True, slots=True)
class Bulk:
    """A signed bulk."""

    submission: bytes
    lines: int
    refused_lines: int
    """Of them, those that must be refused; each line stands alone."""


class Draw:
    """Draws payments; the same ones for the same seed."""

    def __init__(self, world: World, mix: Mix, seed: int) -> None:
        self._world = world
        self._mix = mix
        self._random = random.Random(seed)  # noqa: S311 - load, not secrets

    def pair(self) -> Pair:
        """Draw one payment; it is refused exactly where the poor wallet pays."""
        draw, wallets = self._random, self._world.wallets
        if self.happens(self._mix.invalid):
            debit = self._world.poor
        elif self.happens(self._mix.contention):
            debit = wallets[0]
        else:
            debit = draw.choice(wallets)
        credit = draw.choice(wallets)
        while credit == debit:
            credit = draw.choice(wallets)
        return debit, credit, draw.randint(1, AMOUNT_MAX_TIYN)

    def happens(self, share: float) -> bool:
        """Draw whether something of this share happens; nothing is drawn for what always or never does."""
        return share >= 1 or (share > 0 and self._random.random() < share)


def singles(world: World, count: int, mix: Mix, *, seed: int) -> Singles:
    """Return signed single transfers."""
    draw = Draw(world, mix, seed)
    made = []
    refused = unsigned = 0
    last_accepted = None
    for _ in range(count):
        debit, credit, amount = draw.pair()
        payload = prepared(world, "transfer", _transfer(debit, credit, amount), world.bank)
        if draw.happens(mix.bad_signatures):
            made.append(_mis_signed(world, payload))
            unsigned += 1
        else:
            made.append(sign(payload, world.bank.signers()))
            if debit == world.poor:
                refused += 1
            else:
                last_accepted = made[-1]
    return Singles(tuple(made), refused, unsigned, last_accepted)


def bulks(world: World, sizes: list[int], mix: Mix, *, seed: int) -> Iterator[Bulk]:
    """Yield signed bulks with so many lines each."""
    draw = Draw(world, mix, seed)
    for size in sizes:
        pairs = [draw.pair() for _ in range(size)]
        lines = tuple(
            Line(debit=debit, credit=credit, amount=amount, label=str(number))
            for number, (debit, credit, amount) in enumerate(pairs)
        )
        body = BulkTransfer(asset=TENGE, is_atomic=False, lines=lines)
        refused = sum(debit == world.poor for debit, _, _ in pairs)
        yield Bulk(signed(world, "bulk_transfer", body, world.bank), size, refused)


def split(lines: int, lines_max: int) -> list[int]:
    """Divide lines into as few bulks as may be, as even as may be."""
    count = -(-lines // lines_max)
    return [lines // count + (number < lines % count) for number in range(count)]


def _transfer(debit: AccountId, credit: AccountId, amount: int) -> Transfer:
    return Transfer(debit=debit, credit=credit, asset=TENGE, amount=amount)


def _mis_signed(world: World, payload: bytes) -> bytes:
    """Return a submission whose signature is well made, by the right key, over other bytes."""
    good, other = (msgspec.json.decode(sign(each, world.bank.signers())) for each in (payload, payload + b" "))
    return canonical.encode({**good, "signatures": other["signatures"]})
