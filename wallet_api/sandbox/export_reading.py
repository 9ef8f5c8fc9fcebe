"""An export read back: the state it comes to, and its leaves. Anybody who has the file can do it."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from ledger.log.export import read_blocks, read_head, stored
from ledger.log.replay import Replay
from ledger.model.journal import Leaf
from ledger.rules.rulebook import Rulebook
from ledger.state import State
from settlement.rules import RULEBOOKS

_leaf_decoder: Final = msgspec.json.Decoder(Leaf)


def read_export(path: Path, *, rulebooks: Mapping[int, Rulebook] = RULEBOOKS) -> tuple[State, list[Leaf]]:
    """Return the state and the leaves of an export, every decision made again; signatures are not looked at here.

    Raises:
        ExportFault: the file does not hold.
        ReplayFault: a block does not follow from those before it.
    """
    with path.open("rb") as stream:
        return read_stream(stream, rulebooks=rulebooks)


def read_stream(stream: BinaryIO, *, rulebooks: Mapping[int, Rulebook] = RULEBOOKS) -> tuple[State, list[Leaf]]:
    """Return the state and the leaves of an export that is open. Raises as `read_export`."""
    replay = Replay(read_head(stream), rulebooks, checks_signatures=False)
    leaves: list[Leaf] = []
    for _, _, exported in read_blocks(stream):
        replayed = replay.apply(stored(exported, replay.position.range))
        leaves += [_leaf_decoder.decode(leaf) for leaf in replayed.leaves]
    return replay.state, leaves
