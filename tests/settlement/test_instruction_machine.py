"""Any order of instructing, setting aside, settling, cancelling, releasing, reversing and batching.

Whatever is sent, and whatever comes of it: coins and tenge are conserved, what is set aside is there and belongs to the
sales that set it aside, no mandate is used beyond what was signed, and client money moves between clients, to the fee
account within the tariff, to the tax escrow, and to its own owner; nowhere else.
"""

from collections import Counter
from typing import Any, Final

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.model.journal import Side
from ledger.model.outcome import Accepted, Outcome
from ledger.model.transactions import EmbeddedJws
from ledger.rules.tables import ACCOUNTS, BALANCES
from ledger.rules.transfers import Transfer
from ledger.units import AccountId, AssetId, TimestampUs
from settlement.model.instructions import OPEN_STATUSES, Charges, Instruction, InstructionStatus
from settlement.rules.mandates import mandate_digest
from settlement.rules.tables import CLAIMS, FAILS, INSTRUCTIONS, MANDATES_USED, RESERVED, REVERSALS
from tests.book import Book, end_of, wallet
from tests.settlement.instructed import (
    FEE,
    HOUR_US,
    QUANTITY,
    allocate,
    batch,
    buyer_says,
    cancel,
    complete,
    enrich,
    nonce,
    open_escrow,
    release,
    reverse,
    seller_says,
    take_out,
    terms,
    withdraw,
)
from tests.settlement.market import BTC, accepted, account, buy_mandate, holder_key, market, sell_mandate, settle

pytestmark = pytest.mark.timeout(3_600)
"""The nightly profile plays thousands of times."""

WHICH = st.integers(0, 10**6)
"""Picks one of the sales that were instructed; now and then, one that was not."""

HOLDERS: Final = {"M": "miner-one", "A": "client-a", "B": "client-b"}
SELLERS = st.sampled_from("MMAB")
BUYERS = st.sampled_from("AAB")
QUANTITIES = st.sampled_from([1_000, QUANTITY // 10, QUANTITY // 10, QUANTITY // 3, QUANTITY])
CLIENTS: Final = frozenset(account(name + asset) for name in HOLDERS for asset in ("BTC", "KZT"))
WAYS_OUT: Final = frozenset({account("FEE"), account("TAX"), wallet("601", 1)})


class InstructionMachine(RuleBasedStateMachine):
    """Each step is one submission, or the passing of time."""

    def __init__(self) -> None:
        super().__init__()
        self.book: Book
        self.maxima: dict[str, int] = {}
        """Digest of a mandate to its maximum."""
        self.trades: list[str] = []

    @initialize()
    def open_the_market(self) -> None:
        self.book = market()
        enrich(self.book, "BKZT", 60_000_000)
        open_escrow(self.book)

    def met(self, what: str, outcome: Outcome | str) -> None:
        event(f"{what}: {outcome if isinstance(outcome, str) else end_of(outcome)}")
        if isinstance(outcome, Accepted):
            self.check_ways(what, outcome)

    def check_ways(self, what: str, outcome: Accepted) -> None:
        """Client money goes to clients, or out by the few ways there are."""
        for entry in outcome.all_entries():
            debited = {each.account for each in entry.postings if each.side is Side.DEBIT}
            credited = {each.account for each in entry.postings if each.side is Side.CREDIT}
            if debited & CLIENTS and what != "withdraw":
                assert credited <= CLIENTS | WAYS_OUT, what

    def consent(self, side: str, who: str, trade: str, maximum: int) -> EmbeddedJws:
        """A mandate of a holder, one for two trades, so that some are shared."""
        members: dict[str, Any] = {"maximum": maximum, "nonce": nonce(str(int(trade[2:]) // 2), side)}
        members["expires"] = TimestampUs(1_735_000_000_000_000 + 60 * HOUR_US)
        if side == "sell":
            made = sell_mandate(self.book, HOLDERS[who], account=account(f"{who}BTC"), **members)
        else:
            made = buy_mandate(self.book, HOLDERS[who], account=account(f"{who}KZT"), **members)
        self.maxima[mandate_digest(made)] = maximum
        return made

    def pick(self, which: int) -> str:
        return self.trades[which % len(self.trades)] if self.trades and which % 16 else f"T-{which % 99}"

    @rule(
        which=st.none() | st.none() | WHICH,
        seller=SELLERS,
        buyer=BUYERS,
        quantity=QUANTITIES,
        sides=st.sampled_from(["both", "both", "both", "seller", "buyer", "differ"]),
        charged=st.sampled_from(["none", "fee", "fee", "tax"]),
    )
    def instruct(self, which: int | None, seller: str, buyer: str, quantity: int, sides: str, charged: str) -> None:
        """A new sale, or one of a number that was used."""
        if which is None:
            self.trades.append(f"T-{len(self.trades)}")
        trade = self.trades[-1] if which is None else self.pick(which)
        agreed = terms(
            self.book,
            quantity=quantity,
            seller_coin=account(f"{seller}BTC"),
            seller_tenge=account(f"{seller}KZT"),
            buyer_tenge=account(f"{buyer}KZT"),
            buyer_coin=account(f"{buyer}BTC"),
            executed_us=TimestampUs(self.book.time_us),
        )
        fee = quantity * FEE // QUANTITY if charged != "none" else 0
        tax = quantity // 100 if charged == "tax" else 0
        charges = Charges(
            fee=fee,
            fee_account=account("FEE") if fee else None,
            tax=tax,
            tax_account=account("TAX") if tax else None,
        )
        if sides != "buyer":
            consent = self.consent("sell", seller, trade, 2 * QUANTITY)
            self.met("instruct", seller_says(self.book, trade, agreed, charges=charges, mandate=consent))
        if sides == "seller":
            return
        other = terms(self.book) if sides == "differ" else agreed
        if sides == "differ":
            buyer = "A"
        consent = self.consent("buy", buyer, trade, 60_000_000)
        self.met("instruct", buyer_says(self.book, trade, other, mandate=consent))

    @rule(quantity=st.sampled_from([1_000, QUANTITY // 10]), taxed=st.booleans(), to_complete=st.booleans())
    def sell_as_agreed(self, quantity: int, taxed: bool, to_complete: bool) -> None:
        """From the first word to what is set aside, or final."""
        self.instruct(None, "M", "A", quantity, "both", "tax" if taxed else "fee")
        self.met("allocate", allocate(self.book, self.trades[-1]))
        if to_complete:
            self.met("complete", complete(self.book, self.trades[-1]))

    @rule(which=WHICH, is_partial=st.booleans(), lasts_us=st.sampled_from([1_500_000, HOUR_US, HOUR_US, 20 * HOUR_US]))
    def set_aside(self, which: int, is_partial: bool, lasts_us: int) -> None:
        trade = self.pick(which)
        found = self.book.state.get(INSTRUCTIONS, f"aix-one/{trade}")
        deadline = self.book.time_us + 1_000_000 + lasts_us
        if found is not None and found.set_aside is not None:
            deadline = min(deadline, found.deadline_us)
        outcome = allocate(self.book, trade, is_partial=is_partial, deadline_us=TimestampUs(deadline))
        self.met("allocate", outcome)

    @rule(which=WHICH)
    def settle_gross(self, which: int) -> None:
        self.met("complete", complete(self.book, self.pick(which)))

    @rule(is_net=st.booleans())
    def settle_what_is_set_aside(self, is_net: bool) -> None:
        ready = [
            key.partition("/")[2]
            for key, found in self.instructions()
            if found.status is InstructionStatus.ALLOCATED and found.deadline_us > self.book.time_us + 1_000_000
        ]
        if is_net and len(ready) > 1:
            self.met("batch", batch(self.book, *ready))
        elif ready:
            self.met("complete", complete(self.book, ready[0]))

    @rule(which=st.lists(WHICH, min_size=2, max_size=3))
    def settle_net(self, which: list[int]) -> None:
        self.met("batch", batch(self.book, *(self.pick(each) for each in which)))

    @rule()
    def settle_all_matched(self) -> None:
        ready = [
            key.partition("/")[2]
            for key, found in self.instructions()
            if found.status in (InstructionStatus.MATCHED, InstructionStatus.ALLOCATED)
        ]
        if len(ready) > 1:
            self.met("batch", batch(self.book, *ready))

    @rule(leaves=st.sampled_from([0, 1, 50_000, 200_000]))
    def settle_net_beside_what_is_set_aside(self, leaves: int) -> None:
        """Two sales whose buyer has next to nothing left but what is set aside for others."""
        for _ in range(2):
            self.instruct(None, "M", "A", 1_000, "both", "none")
        free = self.book.balance(account("AKZT")) - (self.book.state.get(RESERVED, account("AKZT")) or 0)
        if free > leaves:
            self.met("take out", take_out(self.book, free - leaves))
        self.met("batch", batch(self.book, *self.trades[-2:]))

    @rule(which=WHICH)
    def call_off(self, which: int) -> None:
        trade = self.pick(which)
        self.met("cancel", cancel(self.book, trade, *self.signers(trade)))

    @rule(which=WHICH)
    def let_go(self, which: int) -> None:
        self.met("release", release(self.book, self.pick(which)))

    @rule(
        which=WHICH,
        part=st.sampled_from([1, 3, 4, 4, 5]),
        is_ordered=st.booleans(),
    )
    def undo(self, which: int, part: int, is_ordered: bool) -> None:
        trade = self.pick(which)
        found = self.book.state.get(INSTRUCTIONS, f"aix-one/{trade}")
        settled = None if found is None else found.settled
        undone = self.book.state.get(REVERSALS, f"aix-one/{trade}")
        left = QUANTITY if settled is None else settled.quantity - (0 if undone is None else undone.quantity)
        quantity = {1: max(1, left // 4), 3: max(1, left // 2), 4: max(1, left), 5: left + 1}[part]
        escrow = () if settled is None or not settled.tax else ("treasury",)
        if is_ordered:
            end = reverse(
                self.book, trade, "aix-one-1", "ministry-1", "ministry-2", *escrow, quantity=quantity, order="order-5"
            )
        else:
            both = self.signers(trade) if settled is not None else ("aix-one-1",)
            end = reverse(self.book, trade, *both, *escrow, quantity=quantity)
        self.met("reverse", end)

    @rule(
        name=st.sampled_from(["AKZT", "AKZT", "MBTC", "ABTC", "BBTC"]),
        share=st.sampled_from(["a little", "what is free", "what is free", "one more", "all"]),
    )
    def go_home(self, name: str, share: str) -> None:
        """A client takes out what it may, and tries to take more."""
        balance, reserved = self.book.balance(account(name)), self.book.state.get(RESERVED, account(name)) or 0
        free = balance - reserved
        amount = {"a little": 1, "what is free": free, "one more": free + 1, "all": balance}[share]
        if name == "MBTC":
            amount = min(amount, 9 * BTC) if share != "one more" else amount
        if amount == 0:
            return
        outcome = take_out(self.book, amount) if name == "AKZT" else withdraw(self.book, name, HOLDERS[name[0]], amount)
        assert isinstance(outcome, Accepted) is (amount <= free)
        self.met("take out" if name == "AKZT" else "withdraw", outcome)

    @rule()
    def come_back(self) -> None:
        """client-a pays in again."""
        held = self.book.balance(wallet("601", 1))
        if held:
            body = Transfer(debit=wallet("601", 1), credit=account("AKZT"), asset=AssetId("KZT"), amount=held)
            accepted(self.book.submit("transfer", body, by="bank-a"))

    @rule(quantity=QUANTITIES)
    def settle_in_one_step(self, quantity: int) -> None:
        self.met("settle", settle(self.book, quantity=quantity, fee=0, fee_account=None))

    @rule(debit=st.sampled_from(sorted(CLIENTS)), credit=st.sampled_from(["HOUSE", "FEE", "FKZT", "BKZT"]))
    def take_from_a_client(self, debit: AccountId, credit: str) -> None:
        """With the holder's signature, even."""
        found = self.book.state.get(ACCOUNTS, debit)
        assert found is not None
        assert found.holder is not None
        body = Transfer(debit=debit, credit=account(credit), asset=AssetId(found.asset), amount=1)
        end = self.book.end("transfer", body, by="aix-one", signers=("aix-one-1", holder_key(found.holder)))
        assert end != "accepted"

    @rule(by_us=st.sampled_from([1_000_000, HOUR_US // 2, HOUR_US, 20 * HOUR_US]))
    def wait(self, by_us: int) -> None:
        self.book.time_us += by_us

    @rule()
    def restart(self) -> None:
        self.book.restart()

    # --- what holds ---------------------------------------------------------------------------------------

    def instructions(self) -> list[tuple[str, Instruction]]:
        return sorted(self.book.state.items(INSTRUCTIONS))

    def signers(self, trade: str) -> tuple[str, ...]:
        """The exchange, and both holders once there are two sides that match."""
        found = self.book.state.get(INSTRUCTIONS, f"aix-one/{trade}")
        if found is None or found.seller is None or found.buyer is None or found.differs:
            return ("aix-one-1",)
        names = {account(f"{name}{asset}"): holder for name, holder in HOLDERS.items() for asset in ("BTC", "KZT")}
        agreed = found.seller.terms
        return ("aix-one-1", holder_key(names[agreed.seller_coin]), holder_key(names[agreed.buyer_tenge]))

    @invariant()
    def what_is_set_aside_is_there_and_is_of_open_sales(self) -> None:
        expected: Counter[str] = Counter()
        for _, found in self.instructions():
            assert (found.set_aside is not None) is (found.status is InstructionStatus.ALLOCATED)
            if found.set_aside is not None:
                assert found.seller is not None
                expected[found.seller.terms.seller_coin] += found.set_aside.quantity
                expected[found.seller.terms.buyer_tenge] += found.set_aside.amount
        reserved = dict(self.book.state.items(RESERVED))
        assert {name: amount for name, amount in reserved.items() if amount} == dict(expected)
        for name, amount in reserved.items():
            assert 0 <= amount <= (self.book.state.get(BALANCES, name) or 0)

    @invariant()
    def coins_and_tenge_are_conserved(self) -> None:
        """By asset; the book itself compares with what was issued after each submission."""
        coins = sum(self.book.balance(name) for name in CLIENTS if name[7:].startswith(("MBTC", "ABTC", "BBTC")))
        assert coins == self.book.state.get(BALANCES, account("CONTRABTC"))

    @invariant()
    def a_mandate_is_used_for_what_settled_and_what_is_set_aside(self) -> None:
        expected: Counter[str] = Counter()
        for _, found in self.instructions():
            taken = found.settled or found.set_aside
            if taken is not None and found.seller is not None and found.buyer is not None:
                expected[found.seller.consent.digest] += taken.quantity
                expected[found.buyer.consent.digest] += taken.amount
        for digest, maximum in self.maxima.items():
            assert (self.book.state.get(MANDATES_USED, digest) or 0) == expected[digest] <= maximum

    @invariant()
    def what_settled_failed_and_was_undone_adds_up(self) -> None:
        for key, found in self.instructions():
            claim, fail = self.book.state.get(CLAIMS, key), self.book.state.get(FAILS, key)
            undone = self.book.state.get(REVERSALS, key)
            settled = 0 if found.settled is None else found.settled.quantity
            side = found.seller or found.buyer
            assert side is not None
            if found.status in OPEN_STATUSES:
                assert (claim, fail, undone, settled) == (None, None, None, 0)
            elif found.status is not InstructionStatus.CANCELLED or fail is not None:
                assert settled + (0 if fail is None else fail.quantity) == side.terms.quantity
            assert (0 if claim is None else claim.quantity) in (0, settled)
            assert (0 if undone is None else undone.quantity) <= settled
            edges = [
                (one.until_us, other.from_us) for one, other in zip(found.history, found.history[1:], strict=False)
            ]
            assert all(until == start for until, start in edges)

    @invariant()
    def the_house_gets_nothing(self) -> None:
        for name in ("HOUSE", "FKZT"):
            assert self.book.balance(account(name)) == 0


TestInstructionMachine = InstructionMachine.TestCase
TestInstructionMachine.settings = settings(stateful_step_count=50)
