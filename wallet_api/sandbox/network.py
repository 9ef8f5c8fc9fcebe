"""A network to try things on: its genesis document, and the keys of everyone in it.

Keys are drawn at random, or follow from a seed so that a test finds the same network each time. Who knows the seed has
every key: it is for sandboxes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from ledger.crypto import canonical
from ledger.crypto.keys import PrivateKey
from ledger.genesis import Genesis, GenesisAsset, GenesisParticipant, network_id
from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.participants import KeyUse, Participant, Role
from ledger.rules.admission import NewKey
from ledger.rules.default_policies import CORE_POLICIES
from ledger.rules.tables import UtcOffset
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.local_time import local_date
from settlement.rules import RULEBOOK
from settlement.rules.policies import SETTLEMENT_POLICIES

LOG_KEY_NAME: Final = "log"
"""Folder and file of the key that signs checkpoints."""

AUTHENTICATION: Final = "api"
"""Signatory of a participant's key for client authentication."""

KAZAKHSTAN_OFFSETS: Final = (
    UtcOffset(from_us=TimestampUs(0), offset_minutes=360),
    UtcOffset(from_us=TimestampUs(1_709_229_600_000_000), offset_minutes=300),
)
"""Astana kept UTC+6 until the end of 29 February 2024; since 1 March 2024 the whole country keeps UTC+5."""

CAP_PER_DAY_TIYN: Final = 1_000_000_000_000
"""What one business day may issue: ten billion tenge."""

RECOVERY_DELAY_US: Final = 24 * 3_600_000_000
"""A recovered key waits a day."""

CONTRA_CODE: Final = "125"
"""Three-digit code of the central bank in account numbers."""

KeyMaker = Callable[[str, str], PrivateKey]
"""Makes the private key of a participant's signatory."""


@dataclass(frozen=True, slots=True)
class Member:
    """An institution of a sandbox with all its private keys, which real ones never hand to anyone."""

    participant: ParticipantId
    name: str
    role: Role
    code: str
    """Its three digits in account numbers."""
    quorum: int
    signatories: Mapping[str, PrivateKey]
    """Transaction keys by signatory; real people hold one each."""
    authentication: PrivateKey
    """Proves who asks to read."""

    def signers(self, count: int | None = None) -> tuple[PrivateKey, ...]:
        """Return the keys of the first ``count`` signatories; of the quorum, if no count is given."""
        return tuple(self.signatories.values())[: self.quorum if count is None else count]

    def keys(self) -> tuple[NewKey, ...]:
        """Return the public keys as they are presented for admission."""
        transaction = tuple(
            NewKey(x=key.public.x, signatory=signatory, use=KeyUse.TRANSACTION)
            for signatory, key in self.signatories.items()
        )
        authentication = NewKey(
            x=self.authentication.public.x, signatory=AUTHENTICATION, use=KeyUse.CLIENT_AUTHENTICATION
        )
        return (*transaction, authentication)

    def all_keys(self) -> tuple[PrivateKey, ...]:
        """Return every private key: each signs the admission, which proves possession."""
        return (*self.signatories.values(), self.authentication)


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """What an institution will be, before it has keys."""

    participant: str
    name: str
    role: Role
    code: str
    quorum: int = 1
    signatories: int = 2


OPERATOR: Final = MemberPlan("operator", "Operator", Role.OPERATOR, "100", quorum=2, signatories=3)
CENTRAL_BANK: Final = MemberPlan("central-bank", "Central Bank", Role.ISSUER, CONTRA_CODE, quorum=2, signatories=3)

FOUNDERS: Final = (OPERATOR, CENTRAL_BANK)
"""Those who stand in the genesis document."""


@dataclass(frozen=True, slots=True)
class Network:
    """A genesis document and the private keys behind it."""

    document: bytes
    log_key: PrivateKey
    members: Mapping[str, Member]

    @property
    def id(self) -> str:
        """The network id: the name and the digest of the genesis document."""
        return network_id(self.document)


def random_keys(_participant: str, _signatory: str) -> PrivateKey:
    """Draw a key from the system's randomness."""
    return PrivateKey.generate()


def keys_from_seed(seed: str) -> KeyMaker:
    """Make keys that follow from a seed, for sandboxes only: who knows the seed has them all."""

    def key(participant: str, signatory: str) -> PrivateKey:
        return PrivateKey.from_seed(sha256(f"dt/v1/sandbox\0{seed}\0{participant}\0{signatory}".encode()).digest())

    return key


def make_member(plan: MemberPlan, keys: KeyMaker) -> Member:
    """Give an institution its keys."""
    names = [f"{plan.participant}-{number}" for number in range(1, plan.signatories + 1)]
    return Member(
        participant=ParticipantId(plan.participant),
        name=plan.name,
        role=plan.role,
        code=plan.code,
        quorum=plan.quorum,
        signatories={name: keys(plan.participant, name) for name in names},
        authentication=keys(plan.participant, AUTHENTICATION),
    )


def make_network(
    name: str,
    *,
    clock: Literal["system", "scripted"],
    time_us: TimestampUs,
    keys: KeyMaker = random_keys,
    others: Iterable[MemberPlan] = (),
) -> Network:
    """Make a network with the operator and the central bank, and keys for others who will be admitted.

    Args:
        name: small letters, digits and hyphens; the first half of the network id.
        clock: ``scripted`` for sandboxes whose time is moved by hand.
        time_us: time of the genesis block; its local date is the first business date.
        keys: where private keys come from.
        others: institutions to make keys for, besides the founders.
    """
    members = {plan.participant: make_member(plan, keys) for plan in (*FOUNDERS, *others)}
    log_key = keys(LOG_KEY_NAME, LOG_KEY_NAME)
    document = Genesis(
        v=1,
        name=name,
        clock=clock,
        time_us=time_us,
        business_date=BusinessDate(local_date(KAZAKHSTAN_OFFSETS, time_us)),
        rulebook=RULEBOOK.version,
        recovery_delay_us=RECOVERY_DELAY_US,
        log_key=log_key.public.x,
        assets=(_tenge(),),
        participants=tuple(_founder(members[plan.participant]) for plan in FOUNDERS),
        policies={**CORE_POLICIES, **SETTLEMENT_POLICIES},
        utc_offsets=KAZAKHSTAN_OFFSETS,
    )
    return Network(canonical.encode(document), log_key, members)


def _tenge() -> GenesisAsset:
    return GenesisAsset(
        asset=TENGE,
        scale=2,
        contra=iban(CONTRA_CODE, "CONTRAKZT0000"),
        issuer=ParticipantId(CENTRAL_BANK.participant),
        issuance_kinds=("issue", "redeem"),
        cap_per_day=CAP_PER_DAY_TIYN,
    )


def _founder(member: Member) -> GenesisParticipant:
    return GenesisParticipant(
        participant=member.participant,
        description=Participant(name=member.name, role=member.role, code=member.code, quorum=member.quorum),
        keys=member.keys(),
    )
