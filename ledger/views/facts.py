"""What the projections take from a block and from the state around it."""

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.crypto.keys import thumbprint
from ledger.log.block import Block
from ledger.log.group import Recorded
from ledger.log.replay import Replay, Replayed
from ledger.model.participants import Key, KeyUse, Participant
from ledger.rules.keys import KeyRevoke, KeyRotate
from ledger.rules.tables import KEYS, PARTICIPANTS, ledger_of


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """One block, made again, with what only the state before and after it tells."""

    replayed: Replayed
    business_date: str
    """The date its transactions were decided on; that of genesis for block 0."""
    participants: tuple[tuple[str, Participant], ...]
    """Participants that are new or changed, as of after the block."""
    keys: tuple[tuple[str, Key], ...]
    """Keys that are new or changed, as of after the block; holder keys stand with their accounts instead."""


class Observer:
    """Folds blocks into a replay and gathers their facts; remembers the participants, to tell which changed."""

    def __init__(self, replay: Replay) -> None:
        """Observe from where the replay stands."""
        self._replay = replay
        is_fresh = replay.position.height < 0
        self._participants: dict[str, Participant] = {} if is_fresh else dict(replay.state.items(PARTICIPANTS))

    def apply(self, block: Block) -> BlockFacts:
        """Make a block again.

        Raises:
            ReplayFault: it does not follow from those before it; nothing has changed.
        """
        business_date = ledger_of(self._replay.state).business_date
        replayed = self._replay.apply(block)
        is_genesis = block.height == 0
        # What changes the register leaves a record; payments, of which there are most, need not be looked at.
        records = [recorded for recorded in replayed.recorded if recorded.kept.record is not None]
        return BlockFacts(
            replayed,
            business_date,
            participants=tuple(self._changed_participants()) if is_genesis or records else (),
            keys=tuple(self._all_keys() if is_genesis else self._changed_keys(records)),
        )

    def _changed_participants(self) -> Iterable[tuple[str, Participant]]:
        for name, participant in self._replay.state.items(PARTICIPANTS):
            if self._participants.get(name) is not participant:
                self._participants[name] = participant
                yield name, participant

    def _all_keys(self) -> Iterable[tuple[str, Key]]:
        return self._replay.state.items(KEYS)

    def _changed_keys(self, records: Iterable[Recorded]) -> Iterable[tuple[str, Key]]:
        kids = dict.fromkeys(kid for recorded in records for kid in _kids_changed(recorded))
        for kid in kids:
            key = self._replay.state.get(KEYS, kid)
            assert key is not None, "an accepted transaction admits the keys it presents"
            if key.use is not KeyUse.HOLDER:
                yield kid, key


def _kids_changed(recorded: Recorded) -> Iterable[str]:
    """The keys a transaction admits or revokes."""
    body = recorded.signed.body
    yield from map(thumbprint, recorded.kind.presented_keys(body))
    if isinstance(body, KeyRevoke):
        yield body.kid
    elif isinstance(body, KeyRotate):
        yield body.replaces
