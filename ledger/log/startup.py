"""From a store to a state that has caught up with it: what a node does before it accepts anything (design D19, D22)."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.crypto import digest
from ledger.crypto.keys import PrivateKey
from ledger.genesis import read_genesis
from ledger.log.block import SALT_BYTES
from ledger.log.block_store import NO_HEIGHT, BlockStore
from ledger.log.group import GENESIS_LEAVES, genesis_block, rulebook_of
from ledger.log.replay import Replay
from ledger.log.snapshot import load_newest
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ledger_of
from ledger.units import Kid


class LogKeyMissing(Exception):
    """The node does not hold the private key that must sign the next checkpoint."""


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A ledger ready for its sequencer."""

    replay: Replay
    epoch: int
    replayed_blocks: int
    """How many blocks were replayed, for the log of the start."""


def open_log(
    store: BlockStore,
    document: bytes,
    rulebooks: Mapping[int, Rulebook],
    *,
    snapshots: Path,
    keyring: Mapping[Kid, PrivateKey],
    take_over: bool = False,
    randomness: Callable[[int], bytes] = os.urandom,
) -> OpenedLog:
    """Open the store under a new epoch and bring a state up to its head; writes the genesis block if it is empty.

    Raises:
        InvalidGenesis: the document does not hold.
        UnknownRulebook: genesis, or the ledger by now, asks for rules this program lacks.
        StoreInUse, HeadBehind, StoreBroken: as the store says.
        AppendUncertain: the genesis block may have been written; starting again tells.
        ReplayFault: a stored block does not follow from those before it.
        LogKeyMissing: the keyring lacks the log key in force.
    """
    replay = Replay(document, rulebooks, checks_signatures=False)
    head = store.open(take_over=take_over)
    if head.height == NO_HEIGHT:
        # Only here: the key of genesis may have been rotated, and destroyed, long ago.
        _require_log_key(replay, keyring)
        genesis = read_genesis(document)
        store.append(
            genesis_block(
                document_digest=digest.network_digest(document),
                time_us=genesis.time_us,
                rulebook=genesis.rulebook,
                epoch=head.epoch,
                salts=randomness(SALT_BYTES * GENESIS_LEAVES),
                origin=replay.origin,
                log_key=keyring[ledger_of(replay.state).log_key],
            )
        )
    load_newest(snapshots, replay, store)
    count = 0
    for block in store.blocks(replay.position.height + 1):
        replay.apply(block)
        count += 1
    rulebook_of(replay.state, rulebooks)
    _require_log_key(replay, keyring)
    return OpenedLog(replay, head.epoch, count)


def _require_log_key(replay: Replay, keyring: Mapping[Kid, PrivateKey]) -> None:
    kid = ledger_of(replay.state).log_key
    if kid not in keyring:
        raise LogKeyMissing(
            f"the checkpoints of {replay.network} are signed with key {kid}; it is not among the node's"
        )
