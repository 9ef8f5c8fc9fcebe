"""Random signed transactions of all kinds, everybody signing whatever is asked: what is left is what the rules prevent.

Two exchanges, an affiliate that says so and one that does not, a miner, tax in escrow, wind-downs, orders. Whatever
is sent: what each client holds changes for the purposes of the table only; the exchange gets nothing of it but its
posted fee, an affiliate nothing but what a sale brings; and coins and tenge are conserved.

The checks say the rules once more in their own words; they do not read the table that the guard reads.
"""

from random import Random
from typing import Any, Final

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.model.assets import TENGE
from ledger.model.journal import Posting, Side
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.opening import NotAdmissible
from ledger.rules.tables import ACCOUNTS, PARTICIPANTS, POLICIES, ledger_of
from ledger.rules.transfers import JournalEntry, Transfer
from ledger.units import (
    AccountId,
    AssetId,
    ParticipantId,
    TimestampUs,
)
from settlement.model.custody import FEE_PPM_MAX, fee_limit
from settlement.model.instructions import Charges, InstructionStatus
from settlement.rules import RULEBOOK
from settlement.rules.completion import DvpComplete
from settlement.rules.court_orders import CourtOrderDebit
from settlement.rules.custody import CustodyCredit, CustodyDebit
from settlement.rules.netting import DvpBatch
from settlement.rules.reversals import DvpReverse
from settlement.rules.segregation import ClientReturn
from settlement.rules.set_aside import DvpAllocate
from settlement.rules.tables import INSTRUCTIONS, RESERVED
from settlement.rules.tariff import TariffSet
from settlement.rules.winddown import WinddownClose, WinddownOpen, WinddownPay, WinddownUnwind
from tests.book import end_of, key_of, own_account, wallet
from tests.settlement.any_body import body_of
from tests.settlement.instructed import EXCHANGE, QUANTITY, buyer_says, seller_says, terms
from tests.settlement.market import (
    BTC,
    PRICE,
    account,
    commitment,
    holder_key,
    sale,
)
from tests.settlement.watched_market import HOLDERS, NAMES, WatchedMarket
from tests.settlement.winding import lose_licence, open_winddown

pytestmark = pytest.mark.timeout(3_600)
"""The nightly profile plays thousands of times."""

RANDOM: Final = st.randoms(use_true_random=False)
AMOUNTS: Final = st.sampled_from([1, 2, 999, 100_000, 1_000_000, 30_000_000])
TENGE_OF_CLIENTS: Final = st.sampled_from(
    [*(account(f"{name}KZT") for name in (*HOLDERS, "C")), account("TAX"), account("XKZT", "802")]
)
"""Accounts of clients, and what lies in escrow."""

HOMES: Final = st.sampled_from(
    [(wallet("601", 1), "holder-1")] * 3 + [(wallet("602", 2), "holder-1"), (account("HOUSE"), "x")]
)
"""Wallets with what their bank calls the holder; not always rightly."""

ACCOUNTS_OF: Final = st.sampled_from(
    [
        *(account(f"{name}{asset}") for name in HOLDERS for asset in ("KZT", "BTC")),
        *(account(name) for name in ("CKZT", "HOUSE", "FEE", "TAX", "HBTC2")),
        *(account(name, "802") for name in ("XKZT", "HOUSE", "FEE")),
        own_account("801"),
        own_account("601"),
        own_account("602"),
        *(wallet(code, number) for code in ("601", "602") for number in (1, 2)),
    ]
)


class SegregationMachine(RuleBasedStateMachine):
    """Each step is one submission or a few, or the passing of time."""

    def __init__(self) -> None:
        super().__init__()
        self.market: WatchedMarket

    @initialize()
    def open_the_market(self) -> None:
        self.market = WatchedMarket()

    @rule(rnd=RANDOM, kind=st.sampled_from(sorted(RULEBOOK.kinds)))
    def anything(self, rnd: Random, kind: str) -> None:
        """Any kind at all, with any body that its type allows, by whoever may send it and by others."""
        made = body_of(rnd, RULEBOOK.kinds[kind].body, self.market.things(), self.market.mandates())
        dated = self.market.book.state.get(POLICIES, kind)
        roles = () if dated is None else dated.current.roles
        may = [each for each, found in sorted(self.market.book.state.items(PARTICIPANTS)) if found.role in roles]
        self.market.send(kind, made, rnd.choice(may) if may and rnd.random() < 0.9 else "aix-one")

    @rule(debit=ACCOUNTS_OF, credit=ACCOUNTS_OF, amount=AMOUNTS, shape=st.sampled_from(["transfer", "journal", "bulk"]))
    def move(self, debit: AccountId, credit: AccountId, amount: int, shape: str) -> None:
        """From any account to any, in the three plain shapes."""
        found = self.market.book.state.get(ACCOUNTS, debit)
        assert found is not None
        if shape == "transfer":
            body: Any = Transfer(debit=debit, credit=credit, asset=found.asset, amount=amount)
            self.market.send("transfer", body, found.owner)
        elif shape == "journal":
            self.market.send(
                "journal_entry", JournalEntry(postings=_legs(found.asset, debit, (credit, amount))), found.owner
            )
        else:
            lines = tuple(Line(debit=debit, credit=credit, amount=amount, label=label) for label in ("1", "2"))
            self.market.send(
                "bulk_transfer", BulkTransfer(asset=found.asset, is_atomic=False, lines=lines), found.owner
            )

    @rule(debit=ACCOUNTS_OF, credits=st.lists(ACCOUNTS_OF, min_size=2, max_size=3, unique=True), amount=AMOUNTS)
    def spread(self, debit: AccountId, credits: list[AccountId], amount: int) -> None:
        """One debit, many credits."""
        postings = _legs(TENGE, debit, *((credit, amount) for credit in credits))
        self.market.send("journal_entry", JournalEntry(postings=postings), self.market.owner(debit))

    @rule(debit=TENGE_OF_CLIENTS | ACCOUNTS_OF, home=HOMES, amount=AMOUNTS)
    def give_back(self, debit: AccountId, home: tuple[AccountId, str], amount: int) -> None:
        body = ClientReturn(account=debit, credit=home[0], holder=home[1], amount=amount)
        self.market.send("client_return", body, self.market.owner(debit))

    @rule(name=ACCOUNTS_OF, amount=AMOUNTS, is_in=st.booleans())
    def custody(self, name: AccountId, amount: int, is_in: bool) -> None:
        if is_in:
            deposit = CustodyCredit(account=name, amount=amount, deposit=f"D-{self.market.book.height}")
            self.market.send("custody_credit", deposit, self.market.owner(name))
        else:
            withdrawal = CustodyDebit(
                account=name, amount=amount, withdrawal=f"W-{self.market.book.height}", destination=commitment("w")
            )
            self.market.send("custody_debit", withdrawal, self.market.owner(name))

    @rule(
        seller=st.sampled_from("MBFHA"),
        buyer=st.sampled_from("ABFH"),
        quantity=st.sampled_from([1_000, QUANTITY // 10, QUANTITY]),
        price=st.sampled_from([PRICE, PRICE, PRICE // 3, PRICE * 7, 10**15]),
        fee=st.sampled_from([0, 1, "posted", "posted", "one more", 1_000_000]),
        to=st.sampled_from(["FEE", "FEE", "HOUSE", "FKZT"]),
    )
    def sell(self, seller: str, buyer: str, quantity: int, price: int, fee: int | str, to: str) -> None:
        """A sale to which both consent, at whatever price and fee."""
        posted = fee_limit(quantity * price // BTC, 2_000)
        body = sale(
            self.market.book,
            quantity=quantity,
            price=price,
            fee=fee if isinstance(fee, int) else posted + (fee == "one more"),
            fee_account=account(to),
            seller_coin=account(f"{seller}BTC"),
            seller_tenge=account(f"{seller}KZT"),
            buyer_tenge=account(f"{buyer}KZT"),
            buyer_coin=account(f"{buyer}BTC"),
            executed_us=TimestampUs(self.market.book.time_us),
            seller_mandate=self.market.consent("sell", seller),
            buyer_mandate=self.market.consent("buy", buyer),
        )
        self.market.send("dvp_settle", body, "aix-one")

    @rule(
        seller=st.sampled_from("MBF"),
        buyer=st.sampled_from("ABFH"),
        quantity=st.sampled_from([QUANTITY // 10, QUANTITY // 3]),
        charges=st.sampled_from(
            [
                Charges(),
                Charges(fee=1, fee_account=account("FEE")),
                Charges(tax=1_000, tax_account=account("TAX")),
                Charges(tax=1_000, tax_account=account("HOUSE")),
                Charges(tax=1_000, tax_account=own_account("801")),
                Charges(tax=1_000, tax_account=wallet("602", 1)),
            ]
        ),
        is_set_aside=st.booleans(),
    )
    def instruct(self, seller: str, buyer: str, quantity: int, charges: Charges, is_set_aside: bool) -> None:
        trade = f"T-{len(self.market.trades)}"
        self.market.trades.append(trade)
        agreed = terms(
            self.market.book,
            quantity=quantity,
            seller_coin=account(f"{seller}BTC"),
            seller_tenge=account(f"{seller}KZT"),
            buyer_tenge=account(f"{buyer}KZT"),
            buyer_coin=account(f"{buyer}BTC"),
            settlement_date=ledger_of(self.market.book.state).business_date,
            executed_us=TimestampUs(self.market.book.time_us),
        )
        for outcome in (
            seller_says(self.market.book, trade, agreed, charges=charges, mandate=self.market.consent("sell", seller)),
            buyer_says(self.market.book, trade, agreed, mandate=self.market.consent("buy", buyer)),
        ):
            event(f"dvp_instruct: {end_of(outcome)}")
        if is_set_aside:
            deadline = TimestampUs(self.market.book.time_us + 3_600_000_000)
            self.market.send("dvp_allocate", DvpAllocate(trade=trade, deadline_us=deadline), "aix-one")

    @rule(is_net=st.booleans())
    def complete(self, is_net: bool) -> None:
        statuses = [InstructionStatus.ALLOCATED, *([InstructionStatus.MATCHED] if is_net else [])]
        ready = [
            key.partition("/")[2]
            for key, found in sorted(self.market.book.state.items(INSTRUCTIONS))
            if found.status in statuses and key.startswith("aix-one/")
        ]
        if is_net and len(ready) > 1:
            self.market.send("dvp_batch", DvpBatch(trades=tuple(ready[:8])), "aix-one")
        elif ready:
            self.market.send("dvp_complete", DvpComplete(trade=ready[0]), "aix-one")

    @rule(which=st.integers(0, 50), part=st.sampled_from([1, QUANTITY // 20, QUANTITY // 10]), ordered=st.booleans())
    def undo(self, which: int, part: int, ordered: bool) -> None:
        ended = [
            key.partition("/")[2]
            for key, found in sorted(self.market.book.state.items(INSTRUCTIONS))
            if found.settled is not None
        ]
        trade = ended[which % len(ended)] if ended else "T-0"
        order = "order-5" if ordered else None
        body = DvpReverse(exchange=EXCHANGE, trade=trade, quantity=part, reason="case-7", order=order)
        self.market.send("dvp_reverse", body, "aix-one")

    @rule(
        debit=ACCOUNTS_OF, credit=ACCOUNTS_OF, amount=AMOUNTS, by=st.sampled_from(["ministry", "ministry", "aix-one"])
    )
    def order(self, debit: AccountId, credit: AccountId, amount: int, by: str) -> None:
        body = CourtOrderDebit(account=debit, credit=credit, amount=amount, order="order-6", ordered=1_000_000)
        self.market.send("court_order_debit", body, by)

    @rule(
        debit=TENGE_OF_CLIENTS | ACCOUNTS_OF,
        home=HOMES,
        amount=AMOUNTS,
        signs=st.sampled_from(["holder", "holder", "order", "client-b"]),
        by=st.sampled_from(["auditor", "auditor", "auditor", "ministry", "aix-one"]),
    )
    def distribute(self, debit: AccountId, home: tuple[AccountId, str], amount: int, signs: str, by: str) -> None:
        found = self.market.book.state.get(ACCOUNTS, debit)
        assert found is not None
        bound = NAMES.get(found.holder_key or "", "aix-one-2")
        signer = bound if signs == "holder" else holder_key(signs)
        body = WinddownPay(
            exchange=ParticipantId("aix-two" if debit == account("XKZT", "802") else "aix-one"),
            account=debit,
            credit=home[0],
            holder=home[1],
            amount=amount,
            holder_key=None if signs == "order" else key_of(signer).public.x,
            order="order-7" if signs == "order" else None,
        )
        self.market.send("winddown_pay", body, by)

    @rule(what=st.sampled_from(["fail", "fail", "open", "close", "unwind"]), which=st.integers(0, 50))
    def wind_down(self, what: str, which: int) -> None:
        if what == "fail" and self.market.book.state.get(POLICIES, "registry_status") is not None:
            until_us = self.market.book.time_us + 20_000_000
            try:
                lose_licence(self.market.book, until_us=until_us)
                open_winddown(self.market.book)
            except (AssertionError, NotAdmissible):
                event("the licence is lost already")
        elif what == "open":
            body: Any = WinddownOpen(exchange=EXCHANGE, administrator=ParticipantId("auditor"), order="order-8")
            self.market.send("winddown_open", body, "ministry")
        elif what == "close":
            self.market.send("winddown_close", WinddownClose(exchange=EXCHANGE, order="order-9"), "ministry")
        else:
            trade = self.market.trades[which % len(self.market.trades)] if self.market.trades else "T-0"
            body = WinddownUnwind(exchange=EXCHANGE, trades=(trade,), order="order-8")
            self.market.send("winddown_unwind", body, "auditor")

    @rule(fee_ppm=st.sampled_from([0, 2_000, FEE_PPM_MAX]))
    def post_a_tariff(self, fee_ppm: int) -> None:
        self.market.send("tariff_set", TariffSet(fee_ppm=fee_ppm), "aix-one")

    @rule(name=st.sampled_from(["AKZT", "BKZT", "FKZT", "HOUSE", "TAX", "CKZT"]))
    def pay_in(self, name: str) -> None:
        """From a bank, if it has the money."""
        held = self.market.book.balance(wallet("601", 1))
        if held:
            body = Transfer(debit=wallet("601", 1), credit=account(name), asset=TENGE, amount=held)
            self.market.send("transfer", body, "bank-a")

    @rule(by_us=st.sampled_from([1_000_000, 3_600_000_000]))
    def wait(self, by_us: int) -> None:
        self.market.book.time_us += by_us

    # --- what holds ---------------------------------------------------------------------------------------

    @invariant()
    def what_each_client_holds_is_what_was_recognised(self) -> None:
        self.market.check_holdings()

    @invariant()
    def what_is_set_aside_is_there(self) -> None:
        for name, reserved in self.market.book.state.items(RESERVED):
            assert 0 <= reserved <= self.market.book.balance(AccountId(name))


def _legs(asset: AssetId, debit: AccountId, *credits: tuple[AccountId, int]) -> tuple[Posting, ...]:
    total = sum(amount for _, amount in credits)
    return (
        Posting(account=debit, asset=asset, amount=total, side=Side.DEBIT),
        *(Posting(account=each, asset=asset, amount=amount, side=Side.CREDIT) for each, amount in credits),
    )


TestSegregationMachine = SegregationMachine.TestCase
TestSegregationMachine.settings = settings(stateful_step_count=50)
