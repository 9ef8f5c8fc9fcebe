"""The world of the benchmark: one bank with many funded wallets, and everything it signs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.crypto.keys import PrivateKey
from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.participants import Role
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.admission import ParticipantAdmit
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.issuance import Issue
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

FUNDS_TIYN_MAX: Final = 100_000_000
"""Most that each wallet starts with; where they are many, less: one day may issue only so much."""

OPENING_ACCOUNTS: Final = 4_000
"""Wallets opened by one transaction: most that also fit an answer read at leisure."""


@dataclass(frozen=True, slots=True)
class World:
    """A network and the wallets that payments go between."""

    network: Network
    network_id: str
    """That of the network, which works it out anew each time it is asked."""
    wallets: tuple[AccountId, ...]
    poor: AccountId
    """A wallet that is open and stays empty: what it pays is refused."""

    @property
    def bank(self) -> Member:
        """The bank that pays."""
        return self.network.members[BANK.participant]


def make_world(accounts: int) -> World:
    """Make a network with fresh keys, and name its wallets."""
    network = make_network("bench", clock="system", time_us=system_time_us(), others=(BANK,))
    wallets = tuple(iban(BANK.code, f"{number:013d}") for number in range(accounts))
    return World(network, network.id, wallets, iban(BANK.code, "POOR000000000"))


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
    yield signed(world, "participant_admit", admission, operator, *bank.all_keys())
    own = iban(bank.code, "OWN0000000000")
    yield signed(world, "account_open", AccountOpen(accounts=(_new(own, "own"),)), bank)
    yield from _openings(world, (*world.wallets, world.poor))
    issuers = world.network.members[CENTRAL_BANK.participant].signers()
    money = Issue(account=own, amount=funds_tiyn(world) * len(world.wallets), reserve_payment="BENCH-1")
    yield signed(world, "issue", money, bank, *issuers)
    for start in range(0, len(world.wallets), BULK_LINES_MAX):
        lines = tuple(
            Line(debit=own, credit=wallet, amount=funds_tiyn(world), label=str(number))
            for number, wallet in enumerate(world.wallets[start : start + BULK_LINES_MAX])
        )
        yield signed(world, "bulk_transfer", BulkTransfer(asset=TENGE, is_atomic=True, lines=lines), bank)


def prepared(world: World, kind: str, body: object, sender: Member) -> bytes:
    """Return a payload, ready to be signed."""
    return prepare(kind, body, network=world.network_id, participant=sender.participant)


def signed(world: World, kind: str, body: object, sender: Member, *others: PrivateKey) -> bytes:
    """Return a submission signed by the sender's quorum, and by others where the kind asks for it."""
    return sign(prepared(world, kind, body, sender), (*sender.signers(), *others))


def _openings(world: World, accounts: tuple[AccountId, ...]) -> Iterator[bytes]:
    """Yield submissions that open wallets, many at once."""
    for start in range(0, len(accounts), OPENING_ACCOUNTS):
        new = tuple(_new(account, "wallet") for account in accounts[start : start + OPENING_ACCOUNTS])
        yield signed(world, "account_open", AccountOpen(accounts=new), world.bank)


def _new(account: AccountId, account_class: str) -> NewAccount:
    return NewAccount(account=account, asset=TENGE, account_class=account_class)
