"""What is projected from columns is what would be projected from the entries they stand for."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.crypto.merkle import BlockProver, CompactRange
from ledger.log.group import Recorded
from ledger.log.replay import Replayed
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Pairs, Posting, Side
from ledger.model.outcome import Accepted, RefusalCode
from ledger.units import AccountId
from ledger.views.facts import BlockFacts
from ledger.views.projector import Rows, project
from ledger.views.schema import ENTRIES_PER_RUN
from tests.book import CONTRA_ACCOUNT
from tests.views.chain import BANK_OWN, WALLET_1, WALLET_2, Chain

CODE = RefusalCode("too_odd", "It is odd.")
NO_PROVER: Final = BlockProver(CompactRange(), [])
ACCOUNTS = (BANK_OWN, WALLET_1, WALLET_2, CONTRA_ACCOUNT)


@pytest.fixture(scope="module")
def payment(tmp_path_factory: pytest.TempPathFactory) -> tuple[Chain, Recorded]:
    """A log, and a payment of its newest block, to be given other outcomes."""
    chain = Chain(Path(tmp_path_factory.mktemp("log")))
    chain.pilot()
    chain.block(chain.pay(BANK_OWN, WALLET_1, 5))
    chain.store.close()
    return chain, chain.recorded[-1][0]


def projected(payment: tuple[Chain, Recorded], outcome: Accepted) -> Rows:
    """The rows of the block, had the payment had this outcome."""
    chain, recorded = payment
    replayed = Replayed(chain.blocks[-1], (replace(recorded, outcome=outcome),), (), NO_PROVER)
    return project([BlockFacts(replayed, "2024-12-24", (), ())], contra={CONTRA_ACCOUNT: TENGE})


@given(
    pairs=st.lists(
        st.tuples(st.permutations(ACCOUNTS), st.integers(1, 10**15)), min_size=2, max_size=2 * ENTRIES_PER_RUN + 2
    ),
    data=st.data(),
)
def test_columns_are_projected_like_their_entries(
    payment: tuple[Chain, Recorded], pairs: list[tuple[list[AccountId], int]], data: st.DataObject
) -> None:
    columns = Pairs(
        TENGE,
        [accounts[0] for accounts, _ in pairs],
        [accounts[1] for accounts, _ in pairs],
        [amount for _, amount in pairs],
    )
    refused = dict.fromkeys(data.draw(st.sets(st.integers(0, len(pairs) - 1))), CODE)
    plain = Accepted(entries=columns.entries(), refused_lines=refused)
    assert projected(payment, Accepted(pairs=columns, refused_lines=refused)) == projected(payment, plain)


def test_several_entries_of_any_form_are_found_by_their_leaf(payment: tuple[Chain, Recorded]) -> None:
    def posting(account: AccountId, amount: int, side: Side) -> Posting:
        return Posting(account=account, asset=TENGE, amount=amount, side=side)

    pair = Entry((posting(WALLET_1, 3, Side.CREDIT), posting(BANK_OWN, 3, Side.DEBIT)))
    legs = Entry(
        (
            posting(BANK_OWN, 9, Side.DEBIT),
            posting(WALLET_1, 4, Side.CREDIT),
            posting(WALLET_2, 5, Side.CREDIT),
        )
    )
    rows = projected(payment, Accepted(entries=(pair, legs, pair), refused_lines={2: CODE}))
    first = payment[1].first_sequence
    assert rows.lines == {
        BANK_OWN: [first, -3, first + 1, -9],
        WALLET_1: [first, 3, first + 1, 4],
        WALLET_2: [first + 1, 5],
    }
    assert rows.entry_runs == [(first, f"{BANK_OWN}\n\n{BANK_OWN}", f"{WALLET_1}\n\n{WALLET_1}", "")]
    assert rows.refusals == [(first + 2, 2, "too_odd")]
