"""The settlement rulebook against the naive market: coins, sales, consent, production, quota.

Each play starts on the trading day of `tests.settlement.market`; what is sent there is predicted to the code.
"""

from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger.model.journal import Posting, Side
from ledger.model.transactions import EmbeddedJws
from ledger.rules.day_close import DayClose
from ledger.rules.transfers import JournalEntry, Transfer
from ledger.units import AssetId, BusinessDate, Kid, ParticipantId, TimestampUs
from settlement.model.intervals import Status
from settlement.model.registers import Register
from settlement.rules.custody import CustodyCredit, CustodyDebit
from settlement.rules.mandates import MandateCancel, mandate_digest
from settlement.rules.production import ProductionReport
from settlement.rules.registry import RegistryStatus
from settlement.rules.segregation import ClientReturn
from settlement.rules.tariff import TariffSet
from tests.book import key_of, wallet
from tests.machine.floor import BANK, CONTRA, FEE, HOLDERS, HOUSE, TENGE, UNBOUND, Floor
from tests.machine.naive_market import MILLION, spread
from tests.settlement.market import (
    BTC,
    COIN,
    DAY_US,
    PRICE,
    account,
    attestation,
    buy_mandate,
    commitment,
    holder_key,
    row,
    sale,
    sell_mandate,
)

pytestmark = pytest.mark.timeout(3_600)
"""The nightly profile plays thousands of times."""

MINUTE_US: Final = 60_000_000
SELLERS = st.sampled_from("MMMBAF")
BUYERS = st.sampled_from("AAABFM")
SMALL = st.sampled_from([BTC // 1_000, BTC // 100, BTC // 777])
QUANTITIES = SMALL | SMALL | st.sampled_from([1, BTC // 7, BTC, 9 * BTC, 10**15])
PRICES = st.sampled_from([PRICE] * 5 + [1, 3_999_999_999, 4_000_000_000, 6_000_000_000, 6_000_000_001])
ANY_ACCOUNT = st.sampled_from(
    [*(account(name + asset) for name in HOLDERS for asset in ("BTC", "KZT")), UNBOUND, HOUSE, FEE, BANK, CONTRA]
)
COINS = st.one_of(*[st.sampled_from([account(f"{name}BTC") for name in "MBA"])] * 3, ANY_ACCOUNT)
MONEY = st.one_of(
    *[st.sampled_from([account("AKZT"), account("AKZT"), account("MKZT"), UNBOUND, BANK])] * 2, ANY_ACCOUNT
)
TWISTS = st.sampled_from([""] * 9 + ["future", "other coin", "other tenge", "fee to house", "tomorrow", "swapped"])
AGES = st.sampled_from([0, MINUTE_US, MINUTE_US, 60 * MINUTE_US, 5 * 60 * MINUTE_US, DAY_US, DAY_US + 1])
REUSED = st.none() | st.integers(0, 10**6)


class SettlementMachine(Floor):
    """Each step is one submission, a restart or the passing of time."""

    # --- coins ----------------------------------------------------------------------------------------------

    @rule(
        quantity=st.sampled_from([0, 14 * BTC, 16 * BTC, 100 * BTC]),
        asset=st.sampled_from([COIN, COIN, COIN, TENGE]),
        by=st.sampled_from(["aix-one", "auditor"]),
        age_us=st.sampled_from([0, 0, 0, 1_000_000, 3_000_000, DAY_US, -1_000_000]),
        uncounted=st.sampled_from([0, 0, 0, 1, BTC, -1]),
    )
    def attest(self, quantity: int, asset: AssetId, by: str, age_us: int, uncounted: int) -> None:
        body = attestation(
            self.book,
            quantity,
            asset=asset,
            observed_us=TimestampUs(self.book.time_us + 1_000_000 - age_us),
            withdrawn=max(0, self.naive.withdrawn - uncounted),
        )
        self.send("reserve_attest", body, by, "auditor-1")

    @rule(name=COINS, amount=st.sampled_from([1, BTC, BTC, 90 * BTC]), deposit=st.integers(0, 9))
    def credit(self, name: Any, amount: int, deposit: int) -> None:
        self.send("custody_credit", CustodyCredit(account=name, amount=amount, deposit=f"D{deposit}"), "aix-one")

    @rule(
        name=COINS,
        amount=st.sampled_from([1, BTC, 9 * BTC]),
        withdrawal=st.integers(0, 9),
        is_signed=st.booleans(),
    )
    def debit(self, name: Any, amount: int, withdrawal: int, is_signed: bool) -> None:
        body = CustodyDebit(
            account=name, amount=amount, withdrawal=f"W{withdrawal}", destination=commitment("destination")
        )
        self.send("custody_debit", body, "aix-one", *(self.consent(name) if is_signed else ()))

    # --- sales ----------------------------------------------------------------------------------------------

    def mandate(self, side: str, who: str, reused: int | None, **members: Any) -> EmbeddedJws:
        """A new mandate of a holder, or any that was made before."""
        made = self.mandates[side]
        own = [each for each in made if spread(each.payload)["account"].startswith(f"{who}", 7)] or made
        if reused is not None and made:
            pool = made if reused % 5 == 0 else own
            return pool[reused % len(pool)]
        holder = HOLDERS[who][0]
        if side == "sell":
            new = sell_mandate(self.book, holder, account=account(f"{who}BTC"), **members)
        else:
            new = buy_mandate(self.book, holder, account=account(f"{who}KZT"), **members)
        made.append(new)
        return new

    @rule(
        seller=st.sampled_from("MMB"),
        quantity=SMALL,
        is_greedy=st.integers(0, 5),
        age_us=st.sampled_from([0, MINUTE_US, 60 * MINUTE_US]),
        reused=st.tuples(REUSED, REUSED),
    )
    def sell_as_agreed(
        self, seller: str, quantity: int, is_greedy: int, age_us: int, reused: tuple[int | None, int | None]
    ) -> None:
        """A sale as it should be, but for a tiyn too much of a fee at times."""
        fee = quantity * PRICE // BTC * self.naive.fee_ppm() // MILLION
        self.send(
            "dvp_settle",
            sale(
                self.book,
                trade=f"A{len(self.sent)}",
                quantity=quantity,
                seller_coin=account(f"{seller}BTC"),
                seller_tenge=account(f"{seller}KZT"),
                fee=fee + (not is_greedy),
                executed_us=TimestampUs(self.book.time_us + 1_000_000 - age_us),
                seller_mandate=self.mandate("sell", seller, reused[0], maximum=BTC // 50),
                buyer_mandate=self.mandate("buy", "A", reused[1]),
            ),
            "aix-one",
        )

    @rule(
        seller=SELLERS,
        buyer=BUYERS,
        quantity=QUANTITIES,
        price=PRICES,
        fee_ppm=st.sampled_from([0, 0, 2_000, 2_001, 20_000]),
        trade=st.integers(0, 30),
        age_us=AGES,
        reused=st.tuples(REUSED, REUSED),
        payee=st.sampled_from([None, None, None, "ABTC", "MKZT"]),
        twist=TWISTS,
    )
    def sell(
        self,
        seller: str,
        buyer: str,
        quantity: int,
        price: int,
        fee_ppm: int,
        trade: int,
        age_us: int,
        reused: tuple[int | None, int | None],
        payee: str | None,
        twist: str,
    ) -> None:
        fee = quantity * price // BTC * fee_ppm // MILLION
        named = {} if payee is None else {"payee": account(payee)}
        sell = self.mandate("sell", seller, reused[0], maximum=min(max(2 * quantity, BTC // 50), 10**15), **named)
        buy = self.mandate("buy", buyer, reused[1], **named)
        executed_us = self.book.time_us + 1_000_000 - age_us
        members: dict[str, Any] = {
            "trade": f"T{trade}",
            "quantity": quantity,
            "price": price,
            "seller_coin": account(f"{seller}BTC"),
            "seller_tenge": account("AKZT" if twist == "other tenge" else f"{seller}KZT"),
            "buyer_tenge": account(f"{buyer}KZT"),
            "buyer_coin": account(f"{buyer}BTC"),
            "fee": fee,
            "fee_account": HOUSE if twist == "fee to house" else FEE,
            "executed_us": TimestampUs(executed_us + 2_000_000 + age_us if twist == "future" else executed_us),
            "reference_date": BusinessDate("2030-01-01" if twist == "tomorrow" else "2024-12-23"),
            "coin": "ETH" if twist == "other coin" else "BTC",
            "seller_mandate": buy if twist == "swapped" else sell,
            "buyer_mandate": sell if twist == "swapped" else buy,
        }
        self.send("dvp_settle", sale(self.book, **members), "aix-one")

    @precondition(lambda self: self.mandates["sell"])
    @rule(
        side=st.sampled_from(["sell", "buy"]),
        which=st.integers(0, 10**6),
        who=st.sampled_from(["holder", "holder", "both", "exchange", "other", "foreign"]),
    )
    def cancel(self, side: str, which: int, who: str) -> None:
        """By the holder, or by somebody who may not."""
        made = self.mandates[side][which % len(self.mandates[side])]
        kid = spread(made.protected)["kid"]
        keys = {key_of(holder_key(name)).public.kid: holder_key(name) for name, _ in HOLDERS.values()}
        other = next(name for each, name in keys.items() if each != kid)
        signers = {
            "holder": (keys[kid],),
            "both": (keys[kid], "aix-one-1"),
            "exchange": ("aix-one-1",),
            "other": (other,),
            "foreign": ("aix-one-1",),
        }
        if who == "foreign":
            kid = key_of("aix-one-1").public.kid
        self.send_signed(
            "mandate_cancel", MandateCancel(mandate=mandate_digest(made), kid=Kid(kid)), "aix-one", *signers[who]
        )

    @rule(fee_ppm=st.sampled_from([0, 1_000, 2_000, 20_000]))
    def post_tariff(self, fee_ppm: int) -> None:
        self.send("tariff_set", TariffSet(fee_ppm=fee_ppm), "aix-one")

    # --- tenge ----------------------------------------------------------------------------------------------

    @rule(debit=MONEY, credit=MONEY | ANY_ACCOUNT, amount=st.sampled_from([1, 500, 10**9]), is_signed=st.booleans())
    def pay(self, debit: Any, credit: Any, amount: int, is_signed: bool) -> None:
        """Much of it tries to take client money, with and without the holder's signature."""
        by = "bank-a" if debit == BANK else "aix-one"
        asset = AssetId(self.naive.accounts[debit]["asset"])
        body = Transfer(debit=debit, credit=credit, asset=asset, amount=amount)
        self.send("transfer", body, by, *(self.consent(debit) if is_signed else ()))

    @rule(debit=ANY_ACCOUNT, credit=ANY_ACCOUNT)
    def journal(self, debit: Any, credit: Any) -> None:
        asset = AssetId(self.naive.accounts[debit]["asset"])
        postings = tuple(
            Posting(account=name, asset=asset, amount=7, side=side)
            for name, side in ((debit, Side.DEBIT), (credit, Side.CREDIT))
        )
        self.send("journal_entry", JournalEntry(postings=postings), "bank-a" if debit == BANK else "aix-one")

    @rule(
        name=MONEY,
        credit=st.sampled_from([wallet("601", 1), wallet("602", 1), wallet("602", 2), BANK]),
        holder=st.sampled_from(["holder-1", "holder-1", "holder-2"]),
        amount=st.sampled_from([1, 1_000, 10**9]),
        is_signed=st.integers(0, 4),
    )
    def give_back(self, name: Any, credit: Any, holder: str, amount: int, is_signed: int) -> None:
        body = ClientReturn(account=name, credit=credit, holder=holder, amount=amount)
        bank = self.naive.accounts[credit]["owner"]
        self.send("client_return", body, "aix-one", f"{bank}-1", *(self.consent(name) if is_signed else ()))

    # --- registers, production, time ------------------------------------------------------------------------

    @rule(
        register=st.sampled_from([Register.EXCHANGE, Register.LICENCE, Register.POOL]),
        is_known=st.integers(0, 6),
        status=st.sampled_from([Status.SUSPENDED, Status.SUSPENDED, Status.ACTIVE, Status.ACTIVE, Status.ACTIVE]),
        back_us=st.sampled_from([-MINUTE_US, 0, 0, 30 * MINUTE_US, DAY_US]),
        lasts_us=st.sampled_from([None, 0, 2_000_000, 10 * MINUTE_US]),
    )
    def change_status(
        self, register: Register, is_known: int, status: Status, back_us: int, lasts_us: int | None
    ) -> None:
        subjects = {Register.EXCHANGE: "aix-one", Register.LICENCE: "L-1", Register.POOL: "pool-one"}
        from_us = self.book.time_us - back_us
        self.send(
            "registry_status",
            RegistryStatus(
                register=register,
                subject=subjects[register] if is_known else "nobody",
                status=status,
                from_us=TimestampUs(from_us),
                until_us=None if lasts_us is None else TimestampUs(from_us + lasts_us),
                reason="order-1",
            ),
            "ministry",
        )

    @rule(register=st.sampled_from(["licence", "licence", "exchange", "pool"]))
    def suspend_or_restore(self, register: str) -> None:
        """From now on, whichever of the two is a change."""
        ((subject, history),) = self.naive.registers[register].items()
        is_suspended = history.at(self.book.time_us) == "suspended"
        body = RegistryStatus(
            register=Register(register),
            subject=subject,
            status=Status.ACTIVE if is_suspended else Status.SUSPENDED,
            from_us=TimestampUs(self.book.time_us),
            reason="order-2",
        )
        self.send("registry_status", body, "ministry")

    @rule(
        is_next=st.integers(0, 5),
        rows=st.lists(
            st.tuples(
                st.integers(1, 40),
                st.sampled_from([1, 3, BTC // 100, BTC]),
                st.sampled_from([0, MINUTE_US, DAY_US, 3 * DAY_US, 2 * DAY_US, -MINUTE_US]),
                st.sampled_from(
                    [{}] * 8
                    + [
                        {"miner": ParticipantId("miner-two")},
                        {"coin": "ETH"},
                        {"licence": "L-9"},
                        {"licence_date": BusinessDate("2023-06-02")},
                        {"bin": None},
                    ]
                ),
            ),
            min_size=1,
            max_size=3,
        ),
    )
    def report(self, is_next: int, rows: list[tuple[int, int, int, dict[str, Any]]]) -> None:
        body = ProductionReport(
            sequence=self.naive.reports + (1 if is_next else 2),
            rows=tuple(
                row(
                    number,
                    quantity=quantity,
                    distributed_us=TimestampUs(self.book.time_us - back_us),
                    **members,
                )
                for number, quantity, back_us, members in rows
            ),
        )
        self.send("production_report", body, "pool-one")

    @rule(is_today=st.integers(0, 4), opens=st.integers(0, 3))
    def close_day(self, is_today: int, opens: int) -> None:
        closes = BusinessDate(self.naive.date if is_today else "2024-12-24")
        date = f"{closes[:8]}{int(closes[8:]) + opens:02}"
        if date[8:] <= "31":
            self.send("day_close", DayClose(closes=closes, opens=BusinessDate(date)), "operator")

    @rule(passed_us=st.sampled_from([1_000, MINUTE_US, 60 * MINUTE_US, DAY_US, 9 * DAY_US]))
    def time_passes(self, passed_us: int) -> None:
        self.book.time_us += passed_us

    @rule()
    def restart(self) -> None:
        self.book.restart()
        self.check_replay()


TestSettlementMachine = SettlementMachine.TestCase
TestSettlementMachine.settings = settings(stateful_step_count=40)
