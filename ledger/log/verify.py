"""Offline verification of an export, with public keys only (design section 4, step 9; D8).

What is proved, in this order, for each block: (1) it follows the one before; (2) every transaction was signed by keys
that were good at that moment; (3) every decision is the one the rules make; (4) every leaf is the one decided;
(5) the tree and its signed checkpoint follow; and at the end (6) what is issued and not redeemed is what is held.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from ledger.crypto.canonical import NotCanonical
from ledger.crypto.keys import PublicKey
from ledger.crypto.note import Checkpoint, InvalidNote, parse_checkpoint, verify_checkpoint
from ledger.genesis import InvalidGenesis
from ledger.log.export import ExportBlock, ExportFault, read_blocks, read_head, stored
from ledger.log.group import UnknownRulebook
from ledger.log.opened_ahead import OpenedAhead, opened_ahead
from ledger.log.opener_process import Opener
from ledger.log.replay import OpenedBefore, Replay, ReplayFault
from ledger.rules.invariants import InvariantBroken, check_conservation
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ASSETS, BALANCES, ledger_of

BLOCKS_AHEAD: Final = 64
"""Most blocks read ahead: enough that an opener never waits, few enough to hold in memory."""

BYTES_AHEAD: Final = 16 * 1024 * 1024
"""Read ahead ends with the block that makes it so many bytes."""

OPENERS_FROM_BYTES: Final = 4 * 1024 * 1024
"""Length of an export from which openers pay, in bytes: starting one takes as long as some thousand signatures."""

OPENERS_MAX: Final = 3
"""Most openers of one verification: opening a payment takes half as long again as making its decision and leaf anew,
which is done in one place."""

Openers = Callable[[str], Sequence[Opener]]
"""Returns the openers of a network."""


class VerificationFault(Exception):
    """The first thing that does not hold: its place and its cause, expected and got."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a verified export holds."""

    network: str
    blocks: int
    leaves: int
    transactions: int
    supply: dict[str, int]
    """In circulation by asset, in its smallest unit."""
    business_date: str
    checkpoint: str
    is_network_pinned: bool
    """False if the network id was not given from outside: then the export is self-consistent, and no more is known."""


def verify_export(
    stream: BinaryIO,
    *,
    rulebooks: Mapping[int, Rulebook],
    network: str | None = None,
    at_least: str | None = None,
    openers: Openers = lambda _network: (),
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Verify an export.

    Args:
        stream: the file.
        rulebooks: the versions of the rules to decide by.
        network: the network id from a source other than the file; without it a forged network passes.
        at_least: a signed checkpoint seen earlier; the export must contain it, or its tail was dropped.
        openers: open submissions ahead; how many pay says :func:`openers_for`.
        progress: called after each block with bytes of blocks read and leaves proved.

    Raises:
        VerificationFault: at the first thing that does not hold.
    """
    try:
        document = read_head(stream)
        replay = Replay(document, rulebooks)
        if network is not None and replay.network != network:
            raise VerificationFault(f"line 1: expected network {network}, got {replay.network}")
        seen = None if at_least is None else parse_checkpoint(at_least)[0]
        transactions = bytes_read = 0
        with opened_ahead(openers(replay.network)) as ahead:
            for line, length, exported, before in _opened_ahead(read_blocks(stream), replay, ahead):
                transactions += _apply(replay, line, exported, before)
                bytes_read += length
                if seen is not None and at_least is not None and replay.position.range.size == seen.size:
                    _match(replay, at_least, seen)
                    seen = None
                if progress is not None:
                    progress(bytes_read, replay.position.range.size)
        if seen is not None:
            raise VerificationFault(
                f"the export has {replay.position.range.size} leaves and no block that ends at leaf {seen.size}, "
                "where the given checkpoint stands: its tail was dropped, or it is another log"
            )
        return _report(replay, transactions, is_network_pinned=network is not None)
    except InvalidNote as error:
        raise VerificationFault(f"the given checkpoint: {error}") from error
    except (ExportFault, ReplayFault, InvariantBroken, InvalidGenesis, UnknownRulebook) as error:
        raise VerificationFault(str(error)) from error


def openers_for(length: int) -> int:
    """Return how many openers an export of so many bytes is worth on this machine."""
    cores = os.cpu_count() or 1
    return 0 if length < OPENERS_FROM_BYTES or cores == 1 else min(cores, OPENERS_MAX)


Line = tuple[int, int, ExportBlock]
"""Number, length in bytes, and the block of a line."""


def _opened_ahead(
    lines: Iterator[Line], replay: Replay, openers: OpenedAhead
) -> Iterator[tuple[int, int, ExportBlock, OpenedBefore]]:
    """Yield the lines in order, reading ahead, with what was opened of the submissions of each block."""
    ahead: deque[Line] = deque()
    bytes_ahead = 0
    failure: ExportFault | None = None
    is_at_end = False
    while True:
        while not is_at_end and len(ahead) < BLOCKS_AHEAD and bytes_ahead < BYTES_AHEAD:
            try:
                following = next(lines, None)
            except ExportFault as error:
                # What is wrong further on waits until everything before it was looked at.
                following, failure = None, error
            if following is None:
                is_at_end = True
                break
            openers.ask([bytes(raw) for raw in following[2].submissions], replay)
            ahead.append(following)
            bytes_ahead += following[1]
        if not ahead:
            break
        line, length, exported = ahead.popleft()
        bytes_ahead -= length
        yield line, length, exported, openers.answer()
    if failure is not None:
        raise failure


def _apply(replay: Replay, line: int, exported: ExportBlock, before: OpenedBefore) -> int:
    try:
        block = stored(exported, replay.position.range)
    except NotCanonical as error:
        raise ExportFault(line, str(error)) from error
    try:
        return len(replay.apply(block, before=before).recorded)
    except UnknownRulebook as error:
        raise VerificationFault(f"block {block.height}: {error}") from error


def _match(replay: Replay, at_least: str, seen: Checkpoint) -> None:
    """The checkpoint given must be signed by the log's key, and be of this very tree."""
    x = replay.public_key(replay.checkpoint_key)
    assert x is not None, "the log key is admitted"
    verify_checkpoint(at_least, origin=replay.origin, key=PublicKey.trusted(x))
    if seen.root != replay.position.range.root():
        raise VerificationFault(
            f"block {replay.position.height}: the given checkpoint of size {seen.size} has another root: "
            "the log showed two histories"
        )


def _report(replay: Replay, transactions: int, *, is_network_pinned: bool) -> Report:
    if replay.position.height < 0:
        raise VerificationFault("line 2: expected the genesis block, got none")
    check_conservation(replay.state)
    supply = {asset_id: replay.state.get(BALANCES, asset.contra) or 0 for asset_id, asset in replay.state.items(ASSETS)}
    return Report(
        network=replay.network,
        blocks=replay.position.height + 1,
        leaves=replay.position.range.size,
        transactions=transactions,
        supply=supply,
        business_date=ledger_of(replay.state).business_date,
        checkpoint=replay.checkpoint,
        is_network_pinned=is_network_pinned,
    )
