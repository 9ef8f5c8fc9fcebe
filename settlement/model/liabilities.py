"""What travels in a proof of liabilities: the published root, and one client's way to it."""

from typing import Annotated, Final

from msgspec import Meta

from ledger.model.record import Record
from ledger.units import AssetField, DateField, DigestField, LabelField, ParticipantField, SaltField, TotalField

LEAVES_MAX: Final = 2**22
"""Most clients of one tree: four million, and a proof stays below 2 KiB."""

DEPTH_MAX: Final = 22
"""Most siblings on a way to the root: the logarithm of ``LEAVES_MAX``."""


class Published(Record, frozen=True, kw_only=True):
    """A root as it stands on the ledger (``liabilities_publish``): clients take it from there and from nobody else."""

    exchange: ParticipantField
    asset: AssetField
    date: DateField
    root: DigestField
    total: TotalField
    leaves: Annotated[int, Meta(ge=0, le=LEAVES_MAX)]


class Sibling(Record, frozen=True, kw_only=True):
    """The other half of a step: the digest of that part of the tree, and what its clients are owed together."""

    digest: DigestField
    sum: TotalField


class InclusionProof(Record, frozen=True, kw_only=True):
    """One client's leaf and its way to the root. It holds the client's name at the exchange: it is for that client."""

    client: LabelField
    """The exchange's pseudonym of the client, one for each client."""
    salt: SaltField
    """Drawn for this leaf alone; who has it can tell whose leaf it is."""
    balance: TotalField
    index: Annotated[int, Meta(ge=0, lt=LEAVES_MAX)]
    """The place of the leaf, from 0."""
    path: Annotated[tuple[Sibling, ...], Meta(max_length=DEPTH_MAX)]
    """From the leaf up."""
