"""An inspection export: one quota statement with all that it rests on, to be verified by anyone with public keys only.

JSON Lines, each equal to its own re-encoding: a head with the genesis document and one signed checkpoint; each
transaction behind a lot or a claim, as it was signed, with its leaves and their ways to that checkpoint; the registers
as of then; the inputs; the statement; an end that binds every byte before it.

What is proved: each transaction is in the log, each lot and claim says what a proven transaction says, and the
statement is what the inputs come to. What only the node says: the status of licences and exchanges, flags, and that
nothing was left out. For those there is the export of the whole log (`tenge verify ledger`), which proves all of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ledger.crypto.canonical import b64url
from ledger.crypto.digest import tagged
from ledger.model.record import Record
from ledger.units import DateField, DigestField, ParticipantField, TimestampField
from settlement.model.claims import ClaimFacts
from settlement.model.production import ProductionLot
from settlement.model.quota_policies import RatePolicy
from settlement.model.registers import CoinField
from settlement.model.statement import QuotaStatement
from settlement.model.trades import QuotaClaim
from settlement.rules.register_snapshot import RegisterSnapshot

INSPECTION_VERSION: Final = 1
"""Version of the file format."""

TRANSACTIONS_MAX: Final = 10_000
"""Most transactions of one file: a miner's sales and reports of years."""

PRODUCTION_KINDS: Final = frozenset({"production_report", "production_correct"})
"""Kinds that make lots."""

CountField = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class InspectionFault(Exception):
    """The file does not hold: the line, and what was expected there."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line
        self.cause = cause


class InspectionHead(Record, frozen=True, kw_only=True, tag_field="type", tag="head"):
    """First line: of whom, of when, and in which log."""

    v: Literal[1]
    network: str
    genesis: str
    """The genesis document, base64url: it holds the key of the log."""
    miner: ParticipantField
    coin: CoinField
    as_of: DateField
    made_us: TimestampField
    """Ledger time of the registers and the statement."""
    checkpoint: tuple[str, ...]
    """The signed checkpoint under which every leaf is proved, split at its line ends."""


class ProvenLeaf(Record, frozen=True, kw_only=True):
    """A leaf and its way to the checkpoint."""

    leaf: str
    """Canonical JSON, to be hashed as it stands."""
    path: tuple[DigestField, ...]
    """From the leaf's sibling up."""


class ProvenTransaction(Record, frozen=True, kw_only=True, tag_field="type", tag="transaction"):
    """A transaction as it was signed, and its leaves."""

    submission: msgspec.Raw
    """JWS in canonical general serialization, as a JSON object."""
    leaves: tuple[ProvenLeaf, ...]


class InspectionRegisters(Record, frozen=True, kw_only=True, tag_field="type", tag="registers"):
    """What the registers held then, as the node says."""

    snapshot: RegisterSnapshot


class InspectionInputs(Record, frozen=True, kw_only=True, tag_field="type", tag="inputs"):
    """All that the statement is computed from."""

    policies: tuple[RatePolicy, ...]
    lots: Mapping[str, ProductionLot]
    claims: Mapping[str, QuotaClaim]
    facts: ClaimFacts


class InspectionStatement(Record, frozen=True, kw_only=True, tag_field="type", tag="statement"):
    """The statement."""

    statement: QuotaStatement


class InspectionEnd(Record, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """Last line: a file without it was cut."""

    lines: CountField
    """Lines before it."""
    digest: DigestField
    """SHA-256 over all bytes before it."""


InspectionLine = (
    InspectionHead | ProvenTransaction | InspectionRegisters | InspectionInputs | InspectionStatement | InspectionEnd
)

_encoder: Final = msgspec.json.Encoder(order="sorted")
_decoder: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(InspectionLine)


def inspection_file(lines: Iterable[Record]) -> bytes:
    """Return the file of some lines, with its end."""
    made = [_encoder.encode(line) + b"\n" for line in lines]
    content = b"".join(made)
    end = InspectionEnd(lines=len(made), digest=b64url(tagged("inspection", content)))
    return content + _encoder.encode(end) + b"\n"


def read_inspection(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the lines of a file with their numbers, the end left out.

    Raises:
        InspectionFault: a line is not in its canonical form, or the file was cut, changed or continued.
    """
    lines = data.split(b"\n")
    if lines.pop() != b"" or not lines:
        raise InspectionFault(len(lines) + 1, "expected a newline at the end of the file")
    decoded = [_decoded(number, line) for number, line in enumerate(lines, 1)]
    end = decoded[-1]
    if not isinstance(end, InspectionEnd):
        raise InspectionFault(len(lines), "expected the end of the file, which was cut")
    content = data[: len(data) - len(lines[-1]) - 1]
    expected = (len(lines) - 1, b64url(tagged("inspection", content)))
    if (end.lines, end.digest) != expected:
        raise InspectionFault(
            len(lines), f"expected {expected[0]} lines of digest {expected[1]}, got {end.lines}, {end.digest}"
        )
    yield from enumerate(decoded[:-1], 1)


def _decoded(number: int, line: bytes) -> Any:  # noqa: ANN401 - any line
    try:
        decoded = _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InspectionFault(number, f"cannot be read: {error}") from error
    if _encoder.encode(decoded) != line:
        raise InspectionFault(number, "is not in its canonical form")
    return decoded
