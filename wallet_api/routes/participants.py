"""Participants, their keys, and the supply: what every participant may know of the others and of the whole."""

from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from ledger.model.participants import KeyUse, Role
from ledger.rules.tables import ASSETS
from ledger.units import ParticipantId
from ledger.views.answers import ParticipantRow
from wallet_api.answers import json_answer
from wallet_api.openapi import READING, VIEWING, described
from wallet_api.parts import Node
from wallet_api.routes.reading import KNOWN_QUERY, MinSequence, ParticipantPath, Reader, not_found

router: Final = APIRouter(prefix="/v1", tags=["Register"], dependencies=[KNOWN_QUERY])


class ParticipantAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An admitted institution."""

    participant: str
    name: str
    role: Role
    code: str
    """Its three digits inside account ids."""
    quorum: int
    """How many of its signatories must sign what changes its keys."""
    is_suspended: bool


class ParticipantsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Every admitted institution, by id."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    participants: tuple[ParticipantAnswer, ...]


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it stood after a block that changed it."""

    kid: str
    x: str
    """The public key, base64url."""
    signatory: str
    use: KeyUse
    height: int
    """The block that changed it."""
    active_from_us: int
    active_from_date: str
    is_revoked: bool


class ParticipantWithKeys(msgspec.Struct, frozen=True, kw_only=True):
    """An admitted institution with the history of its own keys, by block."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    participant: ParticipantAnswer
    keys: tuple[KeyAnswer, ...]


class AssetSupply(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one asset since genesis, in its smallest unit."""

    asset: str
    scale: int
    """Decimal places of one whole unit."""
    issued: int
    redeemed: int
    in_circulation: int
    """Issued minus redeemed: what the holders' accounts hold together."""


class SupplyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is in circulation."""

    includes_sequence: int
    """The newest leaf that the answer includes."""
    assets: tuple[AssetSupply, ...]


_PARTICIPANT: Final = {
    "participant": "bank-a",
    "name": "Bank A",
    "role": "intermediary",
    "code": "601",
    "quorum": 1,
    "is_suspended": False,
}


@router.get(
    "/participants",
    operation_id="read_participants",
    summary="All participants",
    responses=described(
        ParticipantsAnswer,
        "The participants.",
        *READING,
        *VIEWING,
        example={"includes_sequence": 412, "participants": [_PARTICIPANT]},
    ),
)
async def read_participants(node: Node, _reader: Reader, min_sequence: MinSequence = None) -> Response:
    """Every role reads who takes part."""
    answer = await node.projections.read(lambda views: views.participants(), min_sequence=min_sequence)
    return json_answer(
        ParticipantsAnswer(includes_sequence=answer.size - 1, participants=tuple(map(_participant, answer.value)))
    )


@router.get(
    "/participants/{participant}",
    operation_id="read_participant",
    summary="A participant and its keys",
    responses=described(
        ParticipantWithKeys,
        "The participant.",
        "not_found",
        *READING,
        *VIEWING,
        example={"includes_sequence": 412, "participant": _PARTICIPANT, "keys": []},
    ),
)
async def read_participant(
    participant: ParticipantPath, node: Node, _reader: Reader, min_sequence: MinSequence = None
) -> Response:
    """Public keys are public: whoever checks an entry needs them."""
    participant_id = ParticipantId(participant)
    answer = await node.projections.read(lambda views: views.participant(participant_id), min_sequence=min_sequence)
    if answer.value is None:
        raise not_found()
    # Read second, so it includes no less than the answer says.
    keys = await node.projections.read(lambda views: views.key_changes(participant_id))
    return json_answer(
        ParticipantWithKeys(
            includes_sequence=answer.size - 1,
            participant=_participant(answer.value),
            keys=tuple(
                KeyAnswer(
                    kid=key.kid,
                    x=key.x,
                    signatory=key.signatory,
                    use=KeyUse(key.use),
                    height=key.height,
                    active_from_us=key.active_from_us,
                    active_from_date=key.active_from_date,
                    is_revoked=key.is_revoked,
                )
                for key in keys.value
            ),
        )
    )


@router.get(
    "/supply",
    operation_id="read_supply",
    summary="What is in circulation",
    responses=described(
        SupplyAnswer,
        "Sums of each asset that was ever issued.",
        *READING,
        *VIEWING,
        example={
            "includes_sequence": 412,
            "assets": [
                {"asset": "KZT", "scale": 2, "issued": 100_000_000, "redeemed": 0, "in_circulation": 100_000_000}
            ],
        },
    ),
)
async def read_supply(node: Node, _reader: Reader, min_sequence: MinSequence = None) -> Response:
    """Every role reads how much there is."""
    answer = await node.projections.read(lambda views: views.supply(), min_sequence=min_sequence)
    state = node.sequencer.state
    assets = []
    for sums in answer.value:
        asset = state.get(ASSETS, sums.asset)
        assert asset is not None, "the state is never behind the projections"
        assets.append(
            AssetSupply(
                asset=sums.asset,
                scale=asset.scale,
                issued=sums.issued,
                redeemed=sums.redeemed,
                in_circulation=sums.in_circulation,
            )
        )
    return json_answer(SupplyAnswer(includes_sequence=answer.size - 1, assets=tuple(assets)))


def _participant(row: ParticipantRow) -> ParticipantAnswer:
    return ParticipantAnswer(
        participant=row.participant,
        name=row.name,
        role=Role(row.role),
        code=row.code,
        quorum=row.quorum,
        is_suspended=row.is_suspended,
    )
