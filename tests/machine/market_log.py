"""An export read as one would read it to check an operator: block by block, transactions beside their leaves."""

import base64
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ledger.crypto import digest
from ledger.crypto.canonical import b64url
from ledger.log.block import Block
from ledger.log.export import read_blocks, read_head, stored
from ledger.log.group import Position
from ledger.log.replay import Replay
from ledger.state import State
from settlement.rules import RULEBOOK, RULEBOOKS
from tests.log.scribe import export_of
from tests.machine.naive import Json


@dataclass(frozen=True)
class Decided:
    """One transaction of the log, as plain JSON."""

    time_us: int
    id: str
    kind: str
    sender: str
    body: Json
    refusal: str
    """Code; empty if accepted."""
    entries: list[Json] = field(default_factory=list)
    """Its entry leaves."""
    record: Json | None = None
    """Content of its record leaf."""


class LogReader:
    """Reads exports that continue each other. Each block must follow from the ones before: it is made again."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        self._replay = Replay(document, RULEBOOKS, checks_signatures=False)

    def resume(self, dump: Sequence[bytes], position: Position, epoch: int, checkpoint: str) -> None:
        """Go on from where another reader of the same blocks stands."""
        self._replay.resume(State.load(RULEBOOK.tables, dump), position, epoch, checkpoint)

    def read(self, blocks: Sequence[Block]) -> Iterator[Decided]:
        """Yield what the export of some further blocks holds."""
        stream = io.BytesIO(export_of(self._document, blocks))
        assert read_head(stream) == self._document
        # An export that does not begin at the beginning has another end than its last line says.
        is_whole = bool(blocks) and blocks[0].height == 0
        for _, _, exported in read_blocks(stream) if is_whole else islice(read_blocks(stream), len(blocks)):
            replayed = self._replay.apply(stored(exported, self._replay.position.range))
            leaves = [json.loads(leaf) for leaf in replayed.leaves]
            for submission in exported.submissions:
                yield _decided(exported.time_us, json.loads(bytes(submission)), leaves)


def _decided(time_us: int, envelope: Json, leaves: list[Json]) -> Decided:
    payload = base64.urlsafe_b64decode(envelope["payload"] + "==")
    transaction = json.loads(payload)
    its_id = b64url(digest.transaction_id(payload))
    own = [leaf for leaf in leaves if leaf.get("transaction") == its_id]
    assert own, "what is recorded has a leaf"
    by_type: dict[str, list[Json]] = {}
    for leaf in own:
        by_type.setdefault(leaf["type"], []).append(leaf)
    refusals, records = by_type.get("refusal", []), by_type.get("record", [])
    return Decided(
        time_us=time_us,
        id=its_id,
        kind=transaction["kind"],
        sender=transaction["participant"],
        body=transaction["body"],
        refusal=refusals[0]["code"] if refusals else "",
        entries=by_type.get("entry", []),
        record=records[0]["content"] if records else None,
    )
