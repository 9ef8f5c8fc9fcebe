"""Steps of the market machine: registers, rates, prices, reports of production and their corrections."""

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from ledger.units import BusinessDate, TimestampUs
from settlement.model.intervals import Status
from settlement.model.parties import RelationKind
from settlement.model.quota_policies import LegalStatus, RatePolicy
from settlement.model.registers import Register
from settlement.rules.corrections import ProductionCorrect
from settlement.rules.prices import CoinPrice, PricePublish
from settlement.rules.production import ProductionReport
from settlement.rules.quota_policies import QuotaPolicySet
from settlement.rules.register_load import RegistryLoad, RelationRow, StatusRow
from settlement.rules.registry import RegistryStatus
from settlement.rules.tables import (
    CORRECTIONS,
    REPORTS,
)
from tests.machine.market_floor import HOLDERS, LICENCES, MINERS, SUBJECTS, MarketFloor
from tests.machine.naive_market import local_date
from tests.settlement.instructed import (
    QUANTITY,
)
from tests.settlement.market import (
    BTC,
    DAY_US,
    PRICE,
    commitment,
    payout,
    row,
)

MINUTE_US: Final = 60_000_000
WHICH = st.integers(0, 10**6)
MINED = st.sampled_from("MMN")
BOUGHT = st.sampled_from("AAB")
SMALL = st.sampled_from([1_000, BTC // 1_000, BTC // 777, QUANTITY // 3])
LOTS = st.tuples(MINED, st.sampled_from([1, 3, BTC // 100, BTC]), st.sampled_from([0, MINUTE_US, DAY_US, 3 * DAY_US]))


class MarketSupply(MarketFloor):
    """What comes before sales."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def fresh(self) -> int:
        """A number that was not used."""
        self.made += 1
        return self.made

    # --- registers ------------------------------------------------------------------------------------------

    @rule(
        which=st.sampled_from([(register, name) for register, names in SUBJECTS.items() for name in names]),
        back_us=st.sampled_from([0, 0, 30 * MINUTE_US, DAY_US]),
        lasts_us=st.sampled_from([None, None, 2_000_000, 10 * MINUTE_US]),
        as_file=st.booleans(),
    )
    def suspend_or_restore(
        self, which: tuple[Register, str], back_us: int, lasts_us: int | None, as_file: bool
    ) -> None:
        register, subject = which
        is_down = not self.log.is_active(register.value, subject, self.book.time_us - back_us)
        from_us = TimestampUs(self.book.time_us - back_us)
        members: dict[str, Any] = {
            "register": register,
            "subject": subject,
            "status": Status.ACTIVE if is_down else Status.SUSPENDED,
            "from_us": from_us,
            "until_us": None if lasts_us is None else TimestampUs(from_us + lasts_us),
            "reason": "order-1",
        }
        if as_file:
            load = RegistryLoad(source=commitment("file"), rows=(StatusRow(**members),))
            self.send("registry_load", load, "ministry")
        else:
            self.send("registry_status", RegistryStatus(**members), "ministry")

    @rule(one=st.sampled_from(sorted(HOLDERS)), other=st.sampled_from(["group:steppe", "miner-two"]))
    def relate(self, one: str, other: str) -> None:
        party = MINERS.get(one, f"aix-one/{HOLDERS[one]}")
        relation = RelationRow(
            party=party, other=other, relation=RelationKind.GROUP, from_us=TimestampUs(self.book.time_us)
        )
        self.send("registry_load", RegistryLoad(source=commitment("file"), rows=(relation,)), "ministry")

    @rule(share=st.sampled_from([(0, 1), (1, 2), (7, 10), (1, 1)]), subtypes=st.sampled_from([(1, 2), (1,)]))
    def set_a_rate(self, share: tuple[int, int], subtypes: tuple[Any, ...]) -> None:
        number = self.fresh()
        policy = RatePolicy(
            policy=f"R-{number}",
            valid_from=BusinessDate("2024-12-28"),
            share_numerator=share[0],
            share_denominator=share[1],
            subtypes=subtypes,
            legal_source="order",
            legal_status=LegalStatus.ASSUMED,
        )
        body = QuotaPolicySet(policy=policy, supersedes=self.log.rates[-1]["policy"] if self.log.rates else "P25")
        self.send("quota_policy_set", body, "ministry", "ministry-1", "issuer-1")

    @rule(price=st.sampled_from([PRICE, PRICE + 1_000_000, PRICE * 9 // 10]))
    def publish_a_price(self, price: int) -> None:
        body = PricePublish(
            date=BusinessDate(local_date(self.book.time_us)),
            source="market",
            prices=(CoinPrice(coin="BTC", price=price),),
        )
        self.send("price_publish", body, "ministry")

    # --- production -----------------------------------------------------------------------------------------

    def lot_row(self, number: int, lot: tuple[str, int, int], **members: Any) -> Any:
        who, quantity, back_us = lot
        licence = {"licence": LICENCES[who], "licence_date": BusinessDate("2023-06-01")}
        if who == "N":
            licence |= {"bin": "230140000021"}
        whole: dict[str, Any] = {
            "miner": MINERS[who],
            "quantity": quantity,
            "distributed_us": TimestampUs(self.book.time_us - back_us),
            **licence,
        }
        return row(number, **whole | members)

    @rule(lots=st.lists(LOTS, min_size=1, max_size=3), is_next=st.integers(0, 5))
    def report(self, lots: list[tuple[str, int, int]], is_next: int) -> None:
        number = (self.book.state.get(REPORTS, "pool-one") or 0) + (1 if is_next else 2)
        rows = tuple(self.lot_row(place, lot, payout=payout(self.fresh())) for place, lot in enumerate(lots, 1))
        self.send("production_report", ProductionReport(sequence=number, rows=rows), "pool-one")

    @rule(which=WHICH, lot=LOTS | st.none(), is_next=st.integers(0, 5))
    def correct(self, which: int, lot: tuple[str, int, int] | None, is_next: int) -> None:
        """A row that was reported, now and then one that was withdrawn before."""
        if not self.log.lots:
            return
        places = sorted({each["row"] for each in self.log.lots.values()})
        _, report, number = places[which % len(places)]
        body = ProductionCorrect(
            sequence=(self.book.state.get(CORRECTIONS, "pool-one") or 0) + (1 if is_next else 2),
            report=report,
            rows=() if lot is None else (self.lot_row(number, lot, payout=payout(self.fresh())),),
            withdrawn=(number,) if lot is None else (),
            reason="case-1",
        )
        self.send("production_correct", body, "pool-one")
