"""The whole settlement rulebook, in any order: registers, reports, corrections, prices, sales, reversals, decisions.

What holds after every step stands in `market_floor` and `market_watch`; a recount of the export alone, written apart
from the rules (`market_recount`, `market_quota`), must come to the same statements and balances.
"""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from ledger.model.journal import Posting, Side
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.day_close import DayClose
from ledger.rules.transfers import JournalEntry, Transfer
from ledger.units import BusinessDate
from settlement.model.claims import Reason, Verdict
from settlement.model.reconciliation import AssetBooks
from settlement.quota import restated
from settlement.rules.claims import ClaimDecide, ClaimFlagging
from settlement.rules.quota_statements import QuotaStatementPublish, statement_key
from settlement.rules.reconciliation import ReconcileDay, ReconciliationCut
from settlement.rules.segregation import ClientReturn
from settlement.rules.tables import (
    CLAIM_DECISIONS,
    CLAIMS,
    PUBLISHED_STATEMENTS,
    QUOTA_FLAGS,
)
from settlement.views.statements import quota_statement
from tests.book import wallet
from tests.machine.floor import TENGE
from tests.machine.market_floor import HOLDERS, MINERS
from tests.machine.market_sales import MarketSales
from tests.machine.market_supply import MINED, MINUTE_US, WHICH
from tests.settlement.instructed import (
    HOUR_US,
    QUANTITY,
    withdraw,
)
from tests.settlement.market import (
    BTC,
    COIN,
    DAY_US,
    account,
    attest,
    credit_coins,
    holder_key,
)
from tests.settlement.reconciling import require

pytestmark = pytest.mark.timeout(3_600)
"""The nightly profile plays thousands of times."""


class MarketMachine(MarketSales):
    """Each step is a submission or a few, or the passing of time."""

    # --- decisions ------------------------------------------------------------------------------------------

    def pick_claim(self, which: int) -> str:
        return sorted(self.log.claims)[which % len(self.log.claims)]

    @rule(which=WHICH, reason=st.sampled_from([Reason.WASH_ROUND_TRIP, Reason.OTHER, Reason.SELF_TRADE]))
    def flag(self, which: int, reason: Reason) -> None:
        if not self.log.claims:
            return
        key = self.pick_claim(which)
        claim = self.book.state.get(CLAIMS, key)
        assert claim is not None
        self.send("claim_flag", ClaimFlagging(claim=key, reason=reason, evidence=(claim.transaction,)), "ministry")

    @rule(which=WHICH, verdict=st.sampled_from(list(Verdict)), is_late=st.integers(0, 4))
    def decide(self, which: int, verdict: Verdict, is_late: int) -> None:
        if not self.log.claims:
            return
        key = self.pick_claim(which)
        flags = self.book.state.get(QUOTA_FLAGS, key) or ()
        decisions = self.book.state.get(CLAIM_DECISIONS, key) or ()
        body = ClaimDecide(
            claim=key,
            verdict=verdict,
            reason=Reason.OTHER,
            order="order-6",
            decisions=len(decisions),
            flags=len(flags) + (not is_late),
        )
        self.send("claim_decide", body, "ministry", "ministry-1", "ministry-2")

    @rule(who=MINED, is_next=st.integers(0, 3))
    def publish_a_statement(self, who: str, is_next: int) -> None:
        """The next version, or one that leaves one out."""
        miner = MINERS[who]
        statement = quota_statement(self.book.state, miner, "BTC", as_of=self.today)
        version = restated(None, statement)
        last = self.book.state.get(PUBLISHED_STATEMENTS, statement_key(miner, "BTC", self.today))
        number = 1 if last is None else last.version + 1
        body = QuotaStatementPublish(
            miner=miner,
            coin="BTC",
            as_of=self.today,
            version=number if is_next else number + 1,
            statement=version.digest,
            inputs=statement.inputs,
            previous=None if last is None else last.statement,
        )
        assert self.send("quota_statement_publish", body, "ministry") is bool(is_next)

    # --- books, coins, money --------------------------------------------------------------------------------

    @rule(off=st.sampled_from([0, 0, 0, 1, -1]), is_first=st.sampled_from([True, True, False]))
    def reconcile(self, off: int, is_first: bool) -> None:
        if is_first:
            self.met("require", require(self.book))
            self.met("attest", attest(self.book, 100 * BTC))
        self.send("reconciliation_cut", ReconciliationCut(assets=(TENGE, COIN)), "aix-one")
        self.take_in()
        books = tuple(
            AssetBooks(asset=asset, books=self.log.owed("aix-one", asset) + (off if asset == TENGE else 0))
            for asset in (TENGE, COIN)
        )
        body = ReconcileDay(date=self.today, assets=books)
        self.send("reconcile_day", body, "aix-one", "aix-one-1", "aix-one-2")

    @rule(name=st.sampled_from(["MBTC", "NBTC", "BBTC"]), amount=st.sampled_from([1, BTC, 90 * BTC]))
    def deposit(self, name: str, amount: int) -> None:
        self.met("custody_credit", credit_coins(self.book, name, amount))

    @rule(name=st.sampled_from(["MBTC", "NBTC", "ABTC"]), amount=st.sampled_from([1, QUANTITY, 9 * BTC]))
    def take_home(self, name: str, amount: int) -> None:
        self.met("custody_debit", withdraw(self.book, name, HOLDERS[name[0]], amount))

    @rule(who=st.sampled_from(sorted(HOLDERS)), amount=st.sampled_from([1, 10**6, 10**8]))
    def give_back(self, who: str, amount: int) -> None:
        name = account(f"{who}KZT")
        body = ClientReturn(account=name, credit=wallet("601", 1), holder="holder-1", amount=amount)
        self.send("client_return", body, "aix-one", "aix-one-1", holder_key(HOLDERS[who]), "bank-a-1")

    @rule(
        debit=st.sampled_from(["AKZT", "MKZT", "CKZT", "MBTC", "ABTC"]),
        credit=st.sampled_from(["HOUSE", "FEE", "FKZT", "BKZT", "FBTC"]),
        way=st.sampled_from(["transfer", "journal_entry", "bulk_transfer"]),
    )
    def take_from_a_client(self, debit: str, credit: str, way: str) -> None:
        """Whatever the way, and with the holder's signature: never."""
        asset = COIN if debit.endswith("BTC") else TENGE
        one, other = account(debit), account(credit)
        bodies: dict[str, Any] = {
            "transfer": Transfer(debit=one, credit=other, asset=asset, amount=1),
            "journal_entry": JournalEntry(
                postings=(
                    Posting(account=one, asset=asset, amount=1, side=Side.DEBIT),
                    Posting(account=other, asset=asset, amount=1, side=Side.CREDIT),
                )
            ),
            "bulk_transfer": BulkTransfer(
                asset=asset, is_atomic=True, lines=(Line(debit=one, credit=other, amount=1, label="one"),)
            ),
        }
        holder = {"C": ()}.get(debit[0], (holder_key(HOLDERS.get(debit[0], "")),))
        signers = ("aix-one-1", *(holder if way == "transfer" else ()))
        assert not self.send(way, bodies[way], "aix-one", *signers)

    # --- time -----------------------------------------------------------------------------------------------

    @rule()
    def close_day(self) -> None:
        closes = self.today
        opens = BusinessDate(f"{closes[:8]}{int(closes[8:]) + 1:02}")
        if opens[8:] <= "31":
            self.send("day_close", DayClose(closes=closes, opens=opens), "operator", "operator-1", "operator-2")

    @rule(passed_us=st.sampled_from([MINUTE_US, HOUR_US, DAY_US]))
    def time_passes(self, passed_us: int) -> None:
        self.book.time_us += passed_us


TestMarketMachine = MarketMachine.TestCase
TestMarketMachine.settings = settings(stateful_step_count=30)
