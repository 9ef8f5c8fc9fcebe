"""What several threads decode is prepared when the program is loaded: a first use by two at once ends the process."""

import subprocess
import sys

PROGRAM = """
from ledger.crypto import canonical
from ledger.log import receipts
from ledger.model.journal import Leaf
from ledger.model.transactions import Mandate, Transaction
from ledger.rules import opening
from settlement.rules import RULEBOOK

made = canonical.reader_of.cache_info().currsize
for kind in RULEBOOK.kinds.values():
    canonical.prepare(Transaction[kind.body])
canonical.prepare(Mandate)
canonical.prepare(Leaf)
assert canonical.reader_of.cache_info().currsize == made > 2, "opening, receipts and rulebook prepare theirs"
"""


def test_no_thread_is_the_first_to_decode_a_kind() -> None:
    # A fresh interpreter: here, other tests have long decoded everything.
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
