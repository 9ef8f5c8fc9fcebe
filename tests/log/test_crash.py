"""`kill -9` under load: everything acknowledged is there, nothing else is, retries get the first answer.

`TENGE_CRASH_ROUNDS` says how often a node is killed on each kind of store.
"""

import base64
import io
import itertools
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest

from ledger.clock import ScriptedClock
from ledger.crypto import canonical
from ledger.log.block import decode_body
from ledger.log.export import write_export
from ledger.log.group import origin_of
from ledger.log.receipts import Receipt, verify_receipt
from ledger.log.reception import RECEIVED_ITEMS_MAX
from ledger.log.verify import verify_export
from ledger.rules.tables import BALANCES
from ledger.units import TimestampUs
from tests.book import START_US, key_of
from tests.log.node import A_ONE, A_OWN, A_TWO, ANSWER_S, Node, pilot_node, receipt_bytes

ROUNDS: Final = int(os.environ.get("TENGE_CRASH_ROUNDS", "6"))
LINES_MAX: Final = 300
RETRIES_AT_ONCE: Final = RECEIVED_ITEMS_MAX // 2
"""So many that none is turned away at the door."""
ROOT: Final = Path(__file__).resolve().parents[2]


def killed_after(url: str, lines: int, seed: int) -> list[bytes]:
    """Run a writer, kill it when it has written a number of lines, and return every whole line it wrote."""
    command = [sys.executable, "-m", "tests.log.crash_writer", url, str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        written = list(itertools.islice(writer.stdout, lines))
        writer.kill()
        written += writer.stdout.readlines()
    assert len(written) >= lines, "the writer runs until it is killed"
    return [line for line in written if line.endswith(b"\n")]


@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_a_node_killed_again_and_again_keeps_every_promise(store_url: str) -> None:
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)  # noqa: T201 - pytest shows it where the test fails
    choice = random.Random(seed)
    with pilot_node(store_url) as node:
        setup = {raw for block in node.store.blocks() for raw in decode_body(block.body).submissions}
    sent: dict[str, bytes] = {}
    answered: dict[str, bytes] = {}
    opener = node
    for _ in range(ROUNDS):
        for line in killed_after(store_url, choice.randrange(1, LINES_MAX), choice.getrandbits(32)):
            what, data = line.split(b"\t")
            if what == b"sent":
                raw = base64.b64decode(data)
                sent[canonical.b64url(opener.open(raw).transaction_id)] = raw
            else:
                receipt = msgspec.json.decode(base64.b64decode(data), type=Receipt)
                answered[receipt.transaction_id] = base64.b64decode(data)
    assert answered.keys() <= sent.keys()
    with Node(store_url, clock=ScriptedClock(TimestampUs(START_US + 3_600_000_000))) as node:
        recorded = [raw for block in node.store.blocks() for raw in decode_body(block.body).submissions]
        assert len(set(recorded)) == len(recorded)
        assert set(recorded) <= setup | set(sent.values())
        assert {sent[transaction] for transaction in answered} <= set(recorded)
        origin, key = origin_of(node.network), key_of("log").public
        waiting = iter(sent.items())
        while some := list(itertools.islice(waiting, RETRIES_AT_ONCE)):
            retries = [(transaction, raw, node.send(raw)) for transaction, raw in some]
            for transaction, raw, answer in retries:
                receipt = answer.result(ANSWER_S)
                assert receipt_bytes(receipt) == answered.get(transaction, receipt_bytes(receipt))
                verify_receipt(receipt, origin=origin, log_key=key, submission=raw, rulebook=node.rulebook)
        held = sum(node.state.get(BALANCES, account) or 0 for account in (A_OWN, A_ONE, A_TWO))
        assert held == 100_000_000
        exported = io.BytesIO()
        write_export(node.store, node.document, exported)
        exported.seek(0)
        report = verify_export(exported, rulebooks=node.rulebooks, network=node.network)
        assert report.transactions == len(setup) + len(sent)
