"""One receipt of each sort, and what it takes to check one."""

from typing import Final

import pytest

from ledger.log.group import origin_of
from ledger.log.receipt_maker import LEAVES_INLINE_MAX
from ledger.log.receipts import (
    InvalidReceipt,
    Receipt,
    verify_receipt,
)
from ledger.model.journal import Side
from ledger.rules.issuance import Issue
from tests.book import key_of
from tests.log.node import A_ONE, A_OWN, A_TWO, B_ONE
from tests.log.scribe import Scribe
from tests.log.stage import day_close
from tests.rules.bodies import bulk, entry, pay

MANY: Final = LEAVES_INLINE_MAX + 4
FLIPS: Final = 12
"""Characters changed in each text of a receipt, one at a time."""

Case = tuple[bytes, Receipt]


SORTS: Final = (
    "payment",
    "refusal",
    "entry",
    "record",
    "issue",
    "atomic bulk",
    "independent bulk",
    "small bulk",
    "refused bulk",
    "bulk of one refused line",
)


def proven(scribe: Scribe, receipt: Receipt, submission: bytes | None) -> tuple[bytes, ...]:
    leaves, checkpoint = verify_receipt(
        receipt,
        origin=origin_of(scribe.network),
        log_key=key_of("log").public,
        submission=submission,
        rulebook=scribe.rulebook,
    )
    assert checkpoint.size == scribe.blocks[receipt.height].size
    return leaves


def fault(scribe: Scribe, receipt: Receipt, submission: bytes | None) -> str:
    with pytest.raises(InvalidReceipt) as caught:
        proven(scribe, receipt, submission)
    return str(caught.value)


def make_cases(scribe: Scribe) -> dict[str, Case]:
    """One receipt of each sort."""
    lines = [(A_OWN if number % 7 else A_TWO, A_ONE, 10**7 if number % 7 == 0 else 1) for number in range(MANY)]
    good = [(A_OWN, A_ONE, number + 1) for number in range(MANY)]
    return {
        "payment": scribe.receipt("transfer", pay(A_OWN, A_ONE, 5), by="bank-a"),
        "refusal": scribe.receipt("transfer", pay(A_TWO, A_ONE, 10**9), by="bank-a"),
        "entry": scribe.receipt("journal_entry", entry((Side.DEBIT, A_OWN, 3), (Side.CREDIT, B_ONE, 3)), by="bank-a"),
        "record": scribe.receipt("day_close", day_close(), by="operator"),
        "issue": scribe.receipt("issue", _issue(), by="bank-a", signers=("bank-a-1", "issuer-1", "issuer-2")),
        "atomic bulk": scribe.receipt("bulk_transfer", bulk(*good), by="bank-a"),
        "independent bulk": scribe.receipt("bulk_transfer", bulk(*lines, is_atomic=False), by="bank-a"),
        "small bulk": scribe.receipt("bulk_transfer", bulk(*lines[:9], is_atomic=False), by="bank-a"),
        "refused bulk": scribe.receipt("bulk_transfer", bulk(*good, (A_TWO, A_ONE, 10**9)), by="bank-a"),
        "bulk of one refused line": scribe.receipt(
            "bulk_transfer", bulk((A_TWO, A_ONE, 10**9), is_atomic=False), by="bank-a"
        ),
    }


def _issue() -> Issue:
    return Issue(account=A_OWN, amount=10, reserve_payment="RTGS-77")
