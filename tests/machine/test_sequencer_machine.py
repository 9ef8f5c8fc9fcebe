"""The state machine against a real node: threads, store, receipts; a restart closes it and replays the store."""

import io
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import settings

from ledger.crypto import canonical, jws
from ledger.log.export import write_export
from ledger.log.group import origin_of
from ledger.log.receipts import Receipt, authored, bulk_leaves, verify_receipt
from ledger.log.snapshot import write_snapshot
from ledger.log.verify import verify_export
from ledger.model.journal import Leaf, RefusalLeaf
from ledger.rules.bulk import BulkTransfer
from ledger.rules.invariants import check_conservation
from ledger.rules.opening import NotAdmissible
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import BALANCES, ledger_of
from ledger.units import TimestampUs
from tests.book import CORE_RULEBOOK, START_US
from tests.log.node import Node, log_keyring
from tests.machine.backend import Backend, End
from tests.machine.test_machine import LedgerMachine
from tests.machine.town import kid

RULEBOOKS: Final = {version: Rulebook(version, CORE_RULEBOOK.modules) for version in (1, 2, 3)}


class HandClock:
    """Ledger time as the machine says."""

    def __init__(self) -> None:
        self.time_us = START_US

    def now_us(self) -> TimestampUs:
        return TimestampUs(self.time_us)


class NodeBackend:
    """A node on SQLite. Each receipt is verified as it comes; each second restart finds a snapshot."""

    def __init__(self, document: bytes) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._clock = HandClock()
        self._node = Node(
            f"sqlite:///{folder / 'ledger.db'}",
            rulebook=RULEBOOKS[1],
            rulebooks=RULEBOOKS,
            document=document,
            keyring=log_keyring("log", "log-2", "log-3"),
            clock=self._clock,
            snapshots=folder / "snapshots",
        )
        self._answered: dict[str, bytes] = {}
        self._restarts = 0
        self.network = self._node.network

    def submit(self, raw: bytes, at_us: int) -> End:
        self._clock.time_us = at_us
        log_key = ledger_of(self._node.state).log_key
        try:
            receipt = self._node.receipt(raw)
        except NotAdmissible as problem:
            return End("problem", problem.code)
        answer = canonical.encode(receipt)
        if self._answered.setdefault(receipt.transaction_id, answer) is not answer:
            assert self._answered[receipt.transaction_id] == answer
            return End("duplicate")
        assert receipt.time_us == at_us
        verify_receipt(
            receipt,
            origin=origin_of(self.network),
            log_key=self._node.keyring[log_key].public,
            submission=raw,
            rulebook=self._node.rulebook,
        )
        return self._end(receipt, raw)

    def _end(self, receipt: Receipt, raw: bytes) -> End:
        """Read the end out of a receipt; one refused line of an independent bulk is that, and not a refused bulk."""
        rulebook = self._node.rulebook
        body = authored(jws.serialize(jws.parse(raw, typ=jws.TYP_TRANSACTION)), rulebook)[0].body
        whole = {code.code for code in rulebook.kinds[receipt.kind].refusals}
        is_independent = isinstance(body, BulkTransfer) and not body.is_atomic
        if receipt.outcome == "refused" and not (is_independent and receipt.code not in whole):
            return End("refused", receipt.code or "", receipt.line or 0)
        data = bulk_leaves(receipt, raw, rulebook) if receipt.bulk else [each.leaf.encode() for each in receipt.leaves]
        leaves: list[Leaf] = [canonical.decode(leaf, Leaf) for leaf in data]
        return End("accepted", refused_lines={leaf.line: leaf.code for leaf in leaves if isinstance(leaf, RefusalLeaf)})

    def restart(self) -> None:
        self._restarts += 1
        if self._restarts % 2:
            write_snapshot(self._node.snapshots, self._node.replayed())
        self._node.restart()

    def balances(self) -> dict[str, int]:
        check_conservation(self._node.state)
        return {account: balance for account, balance in self._node.state.items(BALANCES) if balance}

    def check_replay(self) -> None:
        assert self._node.replayed().state.digest() == self._node.state.digest()

    def close(self) -> None:
        """Verify everything from the outside, and end."""
        try:
            exported = io.BytesIO()
            write_export(self._node.store, self._node.document, exported)
            exported.seek(0)
            report = verify_export(
                exported, rulebooks=RULEBOOKS, network=self.network, at_least=self._node.sequencer.checkpoint
            )
            assert report.transactions == len(self._answered)
            self.check_replay()
        finally:
            self._node.close()
            self._folder.cleanup()


class SequencerMachine(LedgerMachine):
    """The same play on a real node."""

    def make_backend(self, document: bytes) -> Backend:
        return NodeBackend(document)

    def agree(self, expected: End, end: End, sender: str, signers: list[str]) -> bool:
        """A node turns away at the door, with a problem of its own, what no good key of the sender signed."""
        keys = [self.naive.keys.get(kid(name)) for name in signers]
        has_standing = any(
            key is not None and (key["participant"], key["use"], key["revoked"]) == (sender, "transaction", False)
            for key in keys
        )
        is_turned_away = not has_standing and end.kind == "problem" and expected.kind in ("problem", "duplicate")
        return end == expected or is_turned_away


TestSequencerMachine = SequencerMachine.TestCase
TestSequencerMachine.settings = settings(max_examples=max(1, settings().max_examples // 5), stateful_step_count=50)
