"""The world of the benchmark: one bank with many funded wallets, and everything it signs."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.crypto.keys import PrivateKey
from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.participants import Role
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.admission import ParticipantAdmit
from ledger.rules.issuance import Issue
from ledger.rules.transfers import BulkTransfer, Line, Transfer
from ledger.units import BULK_LINES_MAX, AccountId
from wallet_api.client.references import system_time_us
from wallet_api.client.signing import prepare, sign
from wallet_api.sandbox.network import (
    CAP_PER_DAY_TIYN,
    CENTRAL_BANK,
    OPERATOR,
    Member,
    MemberPlan,
    Network,
    make_network,
)

BANK: Final = MemberPlan("bank", "Bank", Role.INTERMEDIARY, "601")
"""The bank that pays; one sender, so that the fair share of a participant is under load too."""

FUNDS_TIYN_MAX: Final = 50_000_000
"""Most that each wallet starts with; where they are many, less: one day may issue only so much."""

AMOUNT_MAX_TIYN: Final = 10
"""Largest payment: even one account that pays all of a run never runs short."""

OPENING_ACCOUNTS: Final = 4_000
"""Wallets opened by one transaction: most that also fit an answer read at leisure."""


@dataclass(frozen=True, slots=True)
class World:
    """A network and the wallets that payments go between."""

    network: Network
    wallets: tuple[AccountId, ...]

    @property
    def bank(self) -> Member:
        """The bank that pays."""
        return self.network.members[BANK.participant]


def make_world(accounts: int) -> World:
    """Make a network with fresh keys, and name its wallets."""
    network = make_network("bench", clock="system", time_us=system_time_us(), others=(BANK,))
    return World(network, tuple(iban(BANK.code, f"{number:013d}") for number in range(accounts)))


def funds_tiyn(world: World) -> int:
    """Return what each wallet starts with."""
    return min(FUNDS_TIYN_MAX, CAP_PER_DAY_TIYN // len(world.wallets))


def founding(world: World) -> Iterator[bytes]:
    """Yield the submissions that bring the world about; each must be accepted before the next."""
    bank = world.bank
    admission = ParticipantAdmit(
        participant=bank.participant,
        name=bank.name,
        role=bank.role,
        code=bank.code,
        quorum=bank.quorum,
        keys=bank.keys(),
    )
    operator = world.network.members[OPERATOR.participant]
    yield _signed(world, "participant_admit", admission, operator, *bank.all_keys())
    own = iban(bank.code, "OWN0000000000")
    yield _signed(world, "account_open", AccountOpen(accounts=(_new(own, "own"),)), bank)
    yield from openings(world, world.wallets, OPENING_ACCOUNTS)
    issuers = world.network.members[CENTRAL_BANK.participant].signers()
    money = Issue(account=own, amount=funds_tiyn(world) * len(world.wallets), reserve_payment="BENCH-1")
    yield _signed(world, "issue", money, bank, *issuers)
    for start in range(0, len(world.wallets), BULK_LINES_MAX):
        lines = tuple(
            Line(debit=own, credit=wallet, amount=funds_tiyn(world), label=str(number))
            for number, wallet in enumerate(world.wallets[start : start + BULK_LINES_MAX])
        )
        yield _signed(world, "bulk_transfer", BulkTransfer(asset=TENGE, is_atomic=True, lines=lines), bank)


def openings(world: World, accounts: tuple[AccountId, ...], per_opening: int) -> Iterator[bytes]:
    """Yield submissions that open wallets, many at once."""
    for start in range(0, len(accounts), per_opening):
        new = tuple(_new(account, "wallet") for account in accounts[start : start + per_opening])
        yield _signed(world, "account_open", AccountOpen(accounts=new), world.bank)


def singles(world: World, count: int, *, is_hot: bool, seed: int) -> list[bytes]:
    """Return signed transfers between wallets drawn evenly; if hot, one wallet pays them all."""
    pair = _pairs(world, is_hot=is_hot, seed=seed)
    made = []
    for _ in range(count):
        debit, credit, amount = pair()
        body = Transfer(debit=debit, credit=credit, asset=TENGE, amount=amount)
        made.append(_signed(world, "transfer", body, world.bank))
    return made


def bulks(world: World, count: int, lines: int, *, is_hot: bool, seed: int) -> list[bytes]:
    """Return signed bulks whose lines are drawn as those of :func:`singles`; each line stands alone."""
    pair = _pairs(world, is_hot=is_hot, seed=seed)
    made = []
    for _ in range(count):
        drawn = [pair() for _ in range(lines)]
        body = BulkTransfer(
            asset=TENGE,
            is_atomic=False,
            lines=tuple(
                Line(debit=debit, credit=credit, amount=amount, label=str(number))
                for number, (debit, credit, amount) in enumerate(drawn)
            ),
        )
        made.append(_signed(world, "bulk_transfer", body, world.bank))
    return made


def _pairs(world: World, *, is_hot: bool, seed: int) -> Callable[[], tuple[AccountId, AccountId, int]]:
    """Draw payments: who, to whom, how much. The same for the same seed."""
    draw = random.Random(seed)  # noqa: S311 - load, not secrets
    wallets = world.wallets

    def pair() -> tuple[AccountId, AccountId, int]:
        debit = wallets[0] if is_hot else draw.choice(wallets)
        credit = draw.choice(wallets)
        while credit == debit:
            credit = draw.choice(wallets)
        return debit, credit, draw.randint(1, AMOUNT_MAX_TIYN)

    return pair


def _new(account: AccountId, account_class: str) -> NewAccount:
    return NewAccount(account=account, asset=TENGE, account_class=account_class)


def _signed(world: World, kind: str, body: object, sender: Member, *others: PrivateKey) -> bytes:
    payload = prepare(kind, body, network=world.network.id, participant=sender.participant)
    return sign(payload, (*sender.signers(), *others))
