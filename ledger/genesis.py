"""The genesis document: what a network starts from, and the id it gives the network (design D8)."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from ledger.crypto import canonical, digest
from ledger.crypto.keys import InvalidKey, PublicKey
from ledger.model.accounts import CONTRA, Account, has_valid_check_digits
from ledger.model.assets import SCALE_MAX, TENGE, Asset
from ledger.model.participants import DatedPolicy, Key, KeyUse, Participant, Policy, Role
from ledger.model.record import Record
from ledger.rules.admission import PARTICIPANT_KEY_USES, NewKey
from ledger.rules.keys import is_business_date
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import (
    ACCOUNTS,
    ASSETS,
    CAPS,
    KEYS,
    LEDGER,
    PARTICIPANT_CODES,
    PARTICIPANTS,
    POLICIES,
    THE,
    UTC_OFFSETS,
    Cap,
    LedgerState,
    UtcOffset,
)
from ledger.state import Overlay, State
from ledger.units import (
    AccountField,
    AssetField,
    DateField,
    KeyField,
    Kid,
    KindField,
    ParticipantField,
    TimestampField,
    TimestampUs,
    TotalField,
)

RECOVERY_DELAY_MAX_US: Final = 366 * 24 * 3_600_000_000
"""Longest recovery delay, in microseconds: a year. A longer one would leave a participant without keys for good."""


class GenesisAsset(Record, frozen=True, kw_only=True):
    """An asset that exists from the start."""

    asset: AssetField
    scale: Annotated[int, Meta(ge=0, le=SCALE_MAX)]
    contra: AccountField
    issuer: ParticipantField
    issuance_kinds: tuple[KindField, ...]
    cap_per_day: TotalField


class GenesisParticipant(Record, frozen=True, kw_only=True):
    """An operator or issuer that exists from the start, with its keys."""

    participant: ParticipantField
    description: Participant
    keys: Annotated[tuple[NewKey, ...], Meta(min_length=1)]


class Genesis(Record, frozen=True, kw_only=True):
    """The genesis document. Its digest is part of the network id, so nothing in it can change."""

    v: Literal[1]
    name: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,46}[a-z0-9]\Z")]
    clock: Literal["system", "scripted"]
    """``scripted`` only in sandboxes: their time is moved by hand."""
    time_us: TimestampField
    """Time of the genesis block."""
    business_date: DateField
    rulebook: Annotated[int, Meta(ge=1)]
    recovery_delay_us: Annotated[int, Meta(ge=0, le=RECOVERY_DELAY_MAX_US)]
    """How long a recovered key waits before it is valid, in microseconds."""
    log_key: KeyField
    assets: tuple[GenesisAsset, ...]
    participants: tuple[GenesisParticipant, ...]
    policies: dict[KindField, Policy]
    """Who may send what, for each kind that may be sent at all."""
    utc_offsets: tuple[UtcOffset, ...]
    """Local time in Kazakhstan as dated data, so that replay does not depend on a machine's time zone tables."""


class InvalidGenesis(ValueError):
    """The document is no genesis document; the message names the field."""


def read_genesis(document: bytes) -> Genesis:
    """Read a genesis document from its canonical JSON.

    Raises:
        InvalidGenesis: naming the field, what was expected and what came.
    """
    try:
        genesis = canonical.decode(document, Genesis)
    except canonical.NotCanonical as error:
        raise InvalidGenesis(f"the genesis document does not hold: {error}") from error
    _check_participants(genesis)
    _check_assets(genesis)
    if not is_business_date(genesis.business_date):
        raise InvalidGenesis(f"business_date: expected a date in the calendar, got {genesis.business_date}")
    for kind, policy in genesis.policies.items():
        if not all(cosigner.is_clear for cosigner in policy.cosigners):
            raise InvalidGenesis(f"policies: a cosigner of {kind} must name a role or a participant")
    offsets = [offset.from_us for offset in genesis.utc_offsets]
    if not offsets or offsets != sorted(set(offsets)) or offsets[0] != 0:
        raise InvalidGenesis("utc_offsets: expected ascending moments from 0 on")
    return genesis


def network_id(document: bytes) -> str:
    """Return the network id of a genesis document: name, colon, digest (design D8)."""
    return f"{read_genesis(document).name}:{canonical.b64url(digest.network_digest(document))}"


def first_state(document: bytes, rulebook: Rulebook) -> State:
    """Return the state that a genesis document describes.

    Raises:
        InvalidGenesis: the document does not hold, or asks for another version of the rules.
    """
    genesis = read_genesis(document)
    if genesis.rulebook != rulebook.version:
        raise InvalidGenesis(f"rulebook: expected version {rulebook.version}, got {genesis.rulebook}")
    issuance = {kind for asset in genesis.assets for kind in asset.issuance_kinds}
    unknown = sorted((set(genesis.policies) | issuance) - set(rulebook.kinds))
    if unknown:
        raise InvalidGenesis(f"policies, issuance_kinds: the rulebook has no kinds {', '.join(unknown)}")
    state = rulebook.empty_state()
    overlay = Overlay(state)
    log_key = PublicKey.from_x(genesis.log_key)
    overlay.put(
        LEDGER,
        THE,
        LedgerState(
            network=network_id(document),
            business_date=genesis.business_date,
            rulebook=genesis.rulebook,
            recovery_delay_us=TimestampUs(genesis.recovery_delay_us),
            log_key=Kid(log_key.kid),
        ),
    )
    overlay.put(UTC_OFFSETS, THE, genesis.utc_offsets)
    for participant in genesis.participants:
        _put_participant(overlay, participant)
    operator = next(p.participant for p in genesis.participants if p.description.role is Role.OPERATOR)
    overlay.put(KEYS, log_key.kid, Key(x=genesis.log_key, participant=operator, signatory="log", use=KeyUse.LOG))
    for asset in genesis.assets:
        _put_asset(overlay, asset)
    for kind, policy in genesis.policies.items():
        overlay.put(POLICIES, kind, DatedPolicy(kind=kind, current=policy))
    state.advance(overlay, TimestampUs(genesis.time_us))
    return state


def _check_participants(genesis: Genesis) -> None:
    roles = [participant.description.role for participant in genesis.participants]
    if sorted(roles) != [Role.ISSUER, Role.OPERATOR]:
        raise InvalidGenesis(f"participants: expected one issuer and one operator, got {', '.join(roles)}")
    if len({participant.participant for participant in genesis.participants}) < len(roles):
        raise InvalidGenesis("participants: an id stands twice")
    if len({participant.description.code for participant in genesis.participants}) < len(roles):
        raise InvalidGenesis("participants: a code stands twice")
    keys = [genesis.log_key, *(key.x for participant in genesis.participants for key in participant.keys)]
    if len(set(keys)) < len(keys):
        raise InvalidGenesis("participants: a key stands twice")
    try:
        for x in keys:
            PublicKey.from_x(x)
    except InvalidKey as error:
        raise InvalidGenesis(f"participants: public key {x}: {error}") from error
    for participant in genesis.participants:
        if participant.description.is_suspended:
            raise InvalidGenesis(f"participants: {participant.participant} cannot start suspended")
        if not all(key.use in PARTICIPANT_KEY_USES for key in participant.keys):
            raise InvalidGenesis(f"participants: a key of {participant.participant} serves another use")
        signatories = {key.signatory for key in participant.keys if key.use is KeyUse.TRANSACTION}
        if len(signatories) < participant.description.quorum:
            raise InvalidGenesis(
                f"participants: {participant.participant} has {len(signatories)} signatories "
                f"for a quorum of {participant.description.quorum}"
            )


def _check_assets(genesis: Genesis) -> None:
    known = {participant.participant for participant in genesis.participants}
    ids = [asset.asset for asset in genesis.assets]
    if TENGE not in ids or len(set(ids)) < len(ids):
        raise InvalidGenesis(f"assets: expected {TENGE} and each asset once, got {', '.join(ids)}")
    if len({asset.contra for asset in genesis.assets}) < len(ids):
        raise InvalidGenesis("assets: two assets share a contra account")
    for asset in genesis.assets:
        if asset.issuer not in known:
            raise InvalidGenesis(f"assets: no participant {asset.issuer} to issue {asset.asset}")
        if not has_valid_check_digits(asset.contra):
            raise InvalidGenesis(f"assets: the check digits of {asset.contra} are wrong")


def _put_participant(overlay: Overlay, participant: GenesisParticipant) -> None:
    overlay.put(PARTICIPANTS, participant.participant, participant.description)
    overlay.put(PARTICIPANT_CODES, participant.description.code, participant.participant)
    for key in participant.keys:
        overlay.put(
            KEYS,
            PublicKey.from_x(key.x).kid,
            Key(x=key.x, participant=participant.participant, signatory=key.signatory, use=key.use),
        )


def _put_asset(overlay: Overlay, asset: GenesisAsset) -> None:
    overlay.put(
        ASSETS,
        asset.asset,
        Asset(
            asset=asset.asset,
            scale=asset.scale,
            contra=asset.contra,
            issuer=asset.issuer,
            issuance_kinds=asset.issuance_kinds,
        ),
    )
    overlay.put(ACCOUNTS, asset.contra, Account(asset=asset.asset, owner=asset.issuer, account_class=CONTRA))
    overlay.put(CAPS, asset.asset, Cap(per_day=asset.cap_per_day))
