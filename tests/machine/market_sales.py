"""Steps of the market machine: sales in one step and by instruction, and their reversal."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from ledger.crypto.canonical import b64url
from ledger.units import BusinessDate, TimestampUs
from settlement.model.instructions import Charges, InstructionStatus
from settlement.model.registers import Register
from settlement.rules.tables import (
    INSTRUCTIONS,
)
from tests.machine.market_floor import HOLDERS
from tests.machine.market_supply import BOUGHT, MINED, MINUTE_US, SMALL, WHICH, MarketSupply
from tests.machine.naive_market import spread
from tests.settlement.instructed import (
    HOUR_US,
    allocate,
    batch,
    buyer_says,
    cancel,
    complete,
    nonce,
    release,
    reverse,
    seller_says,
    terms,
)
from tests.settlement.market import (
    BTC,
    DAY_US,
    PRICE,
    account,
    buy_mandate,
    holder_key,
    sale,
    sell_mandate,
)


class MarketSales(MarketSupply):
    """Sales and what undoes them."""

    def __init__(self) -> None:
        super().__init__()
        self.payloads: dict[str, str] = {}
        """One-step sale to its payload: what a reversal shows."""

    # --- sales ----------------------------------------------------------------------------------------------

    @rule(
        seller=st.sampled_from("MMNB"),
        buyer=BOUGHT,
        quantity=SMALL,
        is_charged=st.booleans(),
        age_us=st.sampled_from([0, MINUTE_US, 5 * HOUR_US, DAY_US + 1]),
    )
    def sell(self, seller: str, buyer: str, quantity: int, is_charged: bool, age_us: int) -> None:
        """In one step."""
        trade = f"S-{self.fresh()}"
        fee = quantity * PRICE // BTC * 2_000 // 1_000_000 if is_charged else 0
        body = sale(
            self.book,
            trade=trade,
            quantity=quantity,
            fee=fee,
            seller_coin=account(f"{seller}BTC"),
            seller_tenge=account(f"{seller}KZT"),
            buyer_tenge=account(f"{buyer}KZT"),
            buyer_coin=account(f"{buyer}BTC"),
            executed_us=TimestampUs(self.book.time_us + 1_000_000 - age_us),
            seller_mandate=sell_mandate(
                self.book, HOLDERS[seller], account=account(f"{seller}BTC"), nonce=nonce(trade, "s")
            ),
            buyer_mandate=buy_mandate(
                self.book, HOLDERS[buyer], account=account(f"{buyer}KZT"), nonce=nonce(trade, "b")
            ),
        )
        signed = self.book.open(self.book.signed("dvp_settle", body, by="aix-one"))
        outcome = self.book.decide(signed.submission)
        if self.met("dvp_settle", outcome):
            self.payloads[trade] = b64url(signed.payload)

    @rule(seller=MINED, lasts_us=st.sampled_from([None, 10 * MINUTE_US]))
    def suspend_in_between(self, seller: str, lasts_us: int | None) -> None:
        """A sale whose exchange turns out to have been suspended after its execution and before it was final."""
        self.sell(seller, "A", BTC // 1_000, is_charged=False, age_us=5 * HOUR_US)
        self.take_in()
        if self.log.is_active("exchange", "aix-one", self.book.time_us):
            self.suspend_or_restore((Register.EXCHANGE, "aix-one"), 5 * MINUTE_US, lasts_us, as_file=False)

    def instruct(self, seller: str, buyer: str, quantity: int, sides: str) -> str:
        """A new sale, said by one side, or both, alike or not."""
        trade = f"I-{self.fresh()}"
        reference = max(self.log.prices)
        agreed = terms(
            self.book,
            quantity=quantity,
            seller_coin=account(f"{seller}BTC"),
            seller_tenge=account(f"{seller}KZT"),
            buyer_tenge=account(f"{buyer}KZT"),
            buyer_coin=account(f"{buyer}BTC"),
            executed_us=TimestampUs(self.book.time_us),
            settlement_date=self.today,
            reference_price=self.log.prices[reference],
            reference_date=BusinessDate(reference.partition("/")[2]),
        )
        sell = sell_mandate(self.book, HOLDERS[seller], account=account(f"{seller}BTC"), nonce=nonce(trade, "s"))
        buy = buy_mandate(self.book, HOLDERS[buyer], account=account(f"{buyer}KZT"), nonce=nonce(trade, "b"))
        fee = quantity * PRICE // BTC * 2_000 // 1_000_000
        charges = Charges(fee=fee, fee_account=account("FEE")) if fee else Charges()
        if sides != "buyer":
            self.met("seller says", seller_says(self.book, trade, agreed, charges=charges, mandate=sell))
        if sides != "seller":
            other = (
                agreed if sides != "differ" else terms(self.book, quantity=quantity + 1, executed_us=agreed.executed_us)
            )
            self.met("buyer says", buyer_says(self.book, trade, other, mandate=buy))
        return trade

    @rule(
        seller=MINED,
        buyer=BOUGHT,
        quantity=SMALL,
        sides=st.sampled_from(["both", "both", "both", "seller", "buyer", "differ"]),
        way=st.sampled_from(["leave", "allocate", "complete", "complete", "net"]),
    )
    def sell_by_instruction(self, seller: str, buyer: str, quantity: int, sides: str, way: str) -> None:
        trade = self.instruct(seller, buyer, quantity, sides)
        if way in ("allocate", "complete"):
            self.met("allocate", allocate(self.book, trade, is_partial=quantity % 2 == 0))
        if way == "complete":
            self.met("complete", complete(self.book, trade))
        if way == "net":
            self.met("batch", batch(self.book, trade, self.instruct("N", buyer, quantity, sides)))

    @rule()
    def settle_what_waits(self) -> None:
        ready = [
            key.partition("/")[2]
            for key, found in sorted(self.book.state.items(INSTRUCTIONS))
            if found.status is InstructionStatus.ALLOCATED
        ]
        if len(ready) > 1:
            self.met("batch", batch(self.book, *ready))
        elif ready:
            self.met("complete", complete(self.book, ready[0]))

    @rule(which=WHICH, is_let_go=st.booleans())
    def call_off(self, which: int, is_let_go: bool) -> None:
        if not self.log.open:
            return
        key = sorted(self.log.open)[which % len(self.log.open)]
        trade = key.partition("/")[2]
        if is_let_go:
            self.met("release", release(self.book, trade))
            return
        self.met("cancel", cancel(self.book, trade, "aix-one-1", *self.both(key)))

    def both(self, key: str) -> tuple[str, ...]:
        """The keys of both holders, once the sides have matched."""
        found = self.book.state.get(INSTRUCTIONS, key)
        if found is None or found.seller is None or found.buyer is None or found.differs:
            return ()
        return self.holders(found.seller.terms.seller_coin, found.seller.terms.buyer_tenge)

    def holders(self, *names: str) -> tuple[str, ...]:
        return tuple(holder_key(str(self.log.accounts[name]["holder"])) for name in names)

    @rule(which=WHICH, part=st.sampled_from([1, 2, 4, 4, 5]), is_ordered=st.booleans())
    def undo(self, which: int, part: int, is_ordered: bool) -> None:
        if not self.log.claims:
            return
        key = sorted(self.log.claims)[which % len(self.log.claims)]
        trade = key.partition("/")[2]
        left = self.log.claims[key]["quantity"] - self.log.undone.get(key, 0)
        quantity = {1: max(1, left // 4), 2: max(1, left // 2), 4: max(1, left), 5: left + 1}[part]
        members: dict[str, Any] = {"quantity": quantity, "original": self.payloads.get(trade)}
        signers: tuple[str, ...] = ("aix-one-1", "ministry-1", "ministry-2")
        if is_ordered:
            members["order"] = "order-5"
        else:
            agreed = self.log.sides.get(key, {}).get("seller") or self.shown[trade]
            signers = ("aix-one-1", *self.holders(agreed["buyer_coin"], agreed["seller_tenge"]))
        self.met("reverse", reverse(self.book, trade, *signers, **members))

    @property
    def shown(self) -> dict[str, Any]:
        """One-step sales, as their payloads tell."""
        return {trade: spread(payload)["body"] for trade, payload in self.payloads.items()}
