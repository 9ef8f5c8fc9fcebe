"""Detection over the ledger's own entries: flows, and what speaks against a sale."""

from typing import Any

import msgspec
import pytest

from ledger.crypto.canonical import b64url
from ledger.model.journal import BlockLeaf, EntryLeaf, Leaf, Posting, RecordLeaf, Side
from ledger.rules.transfers import Transfer
from ledger.state import Overlay, Table
from ledger.units import AccountId, AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.claims import Reason
from settlement.model.parties import Relation, RelationKind
from settlement.model.prices import PriceReference
from settlement.model.quota_policies import FLAG_POLICIES
from settlement.quota.flags import Alert, Parties, SettledSale, alerts, price_off_ppm, settled_sales
from settlement.quota.flows import Flow, flows_of
from settlement.rules.claims import ClaimFlagging
from settlement.rules.segregation import ClientReturn
from settlement.rules.tables import PRICES, RELATED
from settlement.views.quota_alerts import quota_alerts
from settlement.views.statements import quota_statement
from tests.book import Book, wallet
from tests.settlement.market import BTC, PRICE, accepted, account, holder_key, market, sale
from tests.settlement.quota_cases import MINER, claim, coins, noon_us

TENGE, COIN = AssetId("KZT"), AssetId("BTC:aix-one")
SALT = "A" * 22
HOUR_US = 3_600_000_000


def entry_leaf(sequence: int, transaction: str, *legs: tuple[Side, str, int], asset: AssetId = TENGE) -> EntryLeaf:
    postings = tuple(
        Posting(account=AccountId(name), asset=asset, amount=amount, side=side) for side, name, amount in legs
    )
    return EntryLeaf(
        v=1,
        sequence=sequence,
        salt=SALT,
        transaction=transaction,
        authorised_by=transaction,
        kind="journal_entry",
        line=0,
        postings=postings,
    )


def block_leaf(sequence: int, time_us: int) -> BlockLeaf:
    return BlockLeaf(v=1, sequence=sequence, salt=SALT, height=1, epoch=0, time_us=TimestampUs(time_us), rulebook=1)


def test_flows_pair_debits_with_credits_and_have_the_time_of_their_block() -> None:
    credits = (Side.CREDIT, "R", 60), (Side.CREDIT, "S", 40)
    leaves: list[Leaf] = [
        entry_leaf(1, "a", (Side.DEBIT, "P", 70), (Side.DEBIT, "Q", 30), *credits),
        RecordLeaf(v=1, sequence=2, salt=SALT, transaction="b", authorised_by="b", kind="day_close", content={}),
        block_leaf(3, 500),
        entry_leaf(4, "c", (Side.DEBIT, "P", 1), (Side.CREDIT, "R", 1)),
    ]

    flows = [(flow.debited, flow.credited, flow.amount, flow.time_us, flow.sequence) for flow in flows_of(leaves)]
    # The last block has not ended.
    assert flows == [("P", "R", 60, 500, 1), ("P", "S", 10, 500, 1), ("Q", "S", 30, 500, 1)]


class Ledger:
    """Flows by hand: the miner sells 2 BTC to Z for 100,000,000 tenge."""

    def __init__(self, **members: Any) -> None:
        self.claim = claim(
            "2025-03-02",
            coins("2"),
            amount=10_000_000_000,
            price=5_000_000_000,
            reference_price=5_000_000_000,
            transaction="sale",
            **members,
        )
        self.flows = [self.flow("M", "Z", coins("2"), asset=COIN, transaction="sale", sequence=1)]
        self.flows.append(self.flow("Z", "M", 10_000_000_000, transaction="sale", sequence=1))
        self.groups: dict[str, str] = {}

    def flow(
        self,
        debited: str,
        credited: str,
        amount: int,
        *,
        hours: int = 0,
        asset: AssetId = TENGE,
        transaction: str = "",
        sequence: int | None = None,
        kind: str = "transfer",
    ) -> Flow:
        number = len(self.flows) + 1 if sequence is None else sequence
        return Flow(
            sequence=number,
            time_us=TimestampUs(noon_us("2025-03-02") + hours * HOUR_US),
            transaction=transaction or f"tx-{number}",
            kind=kind,
            debited=AccountId(debited),
            credited=AccountId(credited),
            asset=asset,
            amount=amount,
        )

    def pays(self, debited: str, credited: str, amount: int, **members: Any) -> None:
        self.flows.append(self.flow(debited, credited, amount, **members))

    def related(self, one: str, other: str, moment: TimestampUs) -> str | None:
        if one == other:
            return "same"
        return "group" if self.groups.get(one, one) == self.groups.get(other, other) else None

    def alerts(self, **members: Any) -> tuple[Alert, ...]:
        parties = Parties(party_of=lambda name: str(MINER) if name == "M" else str(name), related=self.related)
        sales = settled_sales([("x/1", self.claim)], self.flows, parties.party_of)
        return alerts(sales, self.flows, parties, **{"policies": FLAG_POLICIES} | members)


def test_example_12_tenge_comes_back_to_the_buyers_group() -> None:
    ledger = Ledger()
    ledger.groups = {"Z": "zeta", "Z-SISTER": "zeta"}
    assert ledger.alerts() == ()

    ledger.pays("M", "Z-SISTER", 9_950_000_000, hours=6)
    (alert,) = ledger.alerts()
    assert alert == Alert(
        claim="x/1", reason=Reason.WASH_ROUND_TRIP, observed=995_000, evidence=("sale", "tx-3"), relation=None
    )


@pytest.mark.parametrize(("amount", "is_hit"), [(9_000_000_000, True), (8_999_999_999, False)])
def test_rule_13_nine_tenths_is_a_round_trip(amount: int, is_hit: bool) -> None:
    ledger = Ledger()
    ledger.pays("M", "X", amount, hours=1)
    ledger.pays("X", "Y", amount, hours=2)
    ledger.pays("Y", "Z", amount, hours=3)

    assert bool(ledger.alerts()) is is_hit


@pytest.mark.parametrize(("hours", "is_hit"), [(72, True), (73, False)])
def test_rule_13_the_window_is_72_hours(hours: int, is_hit: bool) -> None:
    ledger = Ledger()
    ledger.pays("M", "Z", 10_000_000_000, hours=hours)

    assert bool(ledger.alerts()) is is_hit


def test_rule_13_a_fourth_payment_is_one_too_many() -> None:
    ledger = Ledger()
    for payer, payee in (("M", "W"), ("W", "X"), ("X", "Y"), ("Y", "Z")):
        ledger.pays(payer, payee, 10_000_000_000, hours=1)

    assert ledger.alerts() == ()


def test_rule_13_coins_that_come_back_are_found_too() -> None:
    ledger = Ledger()
    ledger.pays("Z", "X", coins("1.9"), asset=COIN, hours=1)
    ledger.pays("X", "M", coins("1.8"), asset=COIN, hours=2)
    (alert,) = ledger.alerts()

    assert (alert.reason, alert.observed, alert.evidence) == (
        Reason.COINS_RETURNED,
        900_000,
        ("sale", "tx-3", "tx-4"),
    )


@pytest.mark.parametrize(
    ("price", "off", "is_hit"), [(105, 50_000, False), (95, 50_000, False), (106, 60_000, True), (94, 60_000, True)]
)
def test_rule_13_a_price_may_be_off_by_a_twentieth(price: int, off: int, is_hit: bool) -> None:
    assert price_off_ppm(price, 100) == off
    ledger = Ledger()
    ledger.claim = msgspec.structs.replace(ledger.claim, price=price, reference_price=100)

    assert [alert.reason for alert in ledger.alerts()] == ([Reason.PRICE_OFF_REFERENCE] if is_hit else [])


def test_a_fraction_off_the_band_is_off() -> None:
    assert price_off_ppm(1_050_001, 1_000_000) == 50_001
    assert price_off_ppm(1, 3) == 666_667


def test_rule_12_related_parties_and_self_trades_are_named_and_returns_within_a_group_are_not() -> None:
    ledger = Ledger()
    ledger.pays("M", "Z", 10_000_000_000, hours=1)
    ledger.groups = {str(MINER): "steppe", "Z": "steppe"}
    (alert,) = ledger.alerts()
    assert (alert.reason, alert.relation, alert.observed) == (Reason.RELATED_PARTY, "group", 0)

    ledger = Ledger()
    ledger.flows[0] = ledger.flow("M", "M", coins("2"), asset=COIN, transaction="sale", sequence=1)
    (alert,) = ledger.alerts()
    assert (alert.reason, alert.relation) == (Reason.SELF_TRADE, "same")


def test_the_reversal_of_a_busted_trade_is_no_round_trip() -> None:
    ledger = Ledger()
    ledger.pays("M", "Z", 10_000_000_000, hours=1, kind="dvp_reverse")

    assert ledger.alerts(passed_over={"dvp_reverse"}) == ()
    assert len(ledger.alerts()) == 1


def test_other_payments_of_the_same_transaction_are_no_return() -> None:
    ledger = Ledger()
    ledger.pays("M", "Z", 10_000_000_000, transaction="sale", sequence=2)

    assert ledger.alerts() == ()


def test_a_sale_on_a_date_without_a_policy_raises_nothing() -> None:
    ledger = Ledger()
    ledger.pays("M", "Z", 10_000_000_000)

    assert ledger.alerts(policies=()) == ()


def test_a_claim_without_its_entry_is_not_looked_at() -> None:
    ledger = Ledger()
    ledger.claim = msgspec.structs.replace(ledger.claim, transaction="elsewhere")

    assert ledger.alerts() == ()


def test_sales_of_one_transaction_are_told_apart_by_what_moved() -> None:
    ledger = Ledger()
    other = msgspec.structs.replace(ledger.claim, miner=ParticipantId("miner-two"))
    ledger.flows.append(ledger.flow("M2", "Q", coins("2"), asset=COIN, transaction="sale", sequence=2))

    def party_of(name: AccountId) -> str:
        return {"M": str(MINER), "M2": "miner-two"}.get(name, name)

    found: list[SettledSale] = settled_sales([("x/2", other), ("x/1", ledger.claim)], ledger.flows, party_of)
    assert [(each.key, each.seller, each.buyer) for each in found] == [("x/1", "M", "Z"), ("x/2", "M2", "Q")]


class Recorded:
    """A market, and the leaves of what was accepted since."""

    def __init__(self) -> None:
        self.book: Book = market()
        self.leaves: list[Leaf] = []

    def send(self, kind: str, body: Any, *, by: str, signers: tuple[str, ...] = ()) -> None:
        raw = self.book.signed(kind, body, by=by, signers=signers)
        transaction = b64url(self.book.open(raw).transaction_id)
        for entry in accepted(self.book.decide(raw)).entries:
            self.leaves.append(
                EntryLeaf(
                    v=1,
                    sequence=len(self.leaves),
                    salt=SALT,
                    transaction=transaction,
                    authorised_by=transaction,
                    kind=kind,
                    line=0,
                    postings=entry.postings,
                )
            )
        self.leaves.append(block_leaf(len(self.leaves), self.book.time_us))


PROCEEDS = 48_775_361 - 97_550
"""Tiyn: what the miner gets for 0.01 BTC, the fee taken off."""


def sell_and_take_out(recorded: Recorded) -> None:
    """The miner sells 0.01 BTC to client-a and takes the proceeds to a bank."""
    recorded.send("dvp_settle", sale(recorded.book, trade="T-1"), by="aix-one")
    back = ClientReturn(account=account("MKZT"), credit=wallet("601", 1), holder="holder-1", amount=PROCEEDS)
    recorded.send("client_return", back, by="aix-one", signers=("aix-one-1", "bank-a-1", holder_key("miner-one")))


def sold_and_returned() -> Recorded:
    """From the bank the proceeds come back to client-a."""
    recorded = Recorded()
    sell_and_take_out(recorded)
    again = Transfer(debit=wallet("601", 1), credit=account("AKZT"), asset=TENGE, amount=PROCEEDS)
    recorded.send("transfer", again, by="bank-a")
    return recorded


def test_from_entries_on_the_ledger_to_a_claim_that_is_held() -> None:
    recorded = sold_and_returned()
    book = recorded.book
    (alert,) = quota_alerts(book.state, recorded.leaves)
    assert (alert.claim, alert.reason, alert.observed) == ("aix-one/T-1", Reason.WASH_ROUND_TRIP, 998_000)
    assert len(alert.evidence) == 3
    before = quota_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-27"))
    assert (before.held, before.sold) == (0, BTC // 100)

    flagging = ClaimFlagging(claim=alert.claim, reason=alert.reason, evidence=alert.evidence)
    accepted(book.submit("claim_flag", flagging, by="operator"))
    after = quota_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-27"))
    assert (after.held, after.counted) == (BTC // 100, 0)


def put(book: Book, table: Table[Any], key: str, row: Any) -> None:
    overlay = Overlay(book.state)
    overlay.put(table, key, row)
    book.state.advance(overlay, TimestampUs(book.time_us))


def relate(book: Book, party: str, other: str) -> None:
    put(book, RELATED, party, (Relation(other=other, kind=RelationKind.GROUP, from_us=TimestampUs(0)),))


def test_the_published_price_goes_before_the_one_the_exchange_named() -> None:
    recorded = Recorded()
    recorded.send("dvp_settle", sale(recorded.book, trade="T-1"), by="aix-one")
    assert quota_alerts(recorded.book.state, recorded.leaves) == ()
    published = PriceReference(price=PRICE * 2, source="an example", published_us=TimestampUs(0))
    put(recorded.book, PRICES, "BTC/2024-12-24", published)
    (alert,) = quota_alerts(recorded.book.state, recorded.leaves)

    assert (alert.reason, alert.observed) == (Reason.PRICE_OFF_REFERENCE, 500_000)


def test_relations_of_the_register_are_looked_at() -> None:
    recorded = sold_and_returned()
    relate(recorded.book, "miner-one", "group:steppe")
    relate(recorded.book, "aix-one/client-a", "group:steppe")
    (alert,) = quota_alerts(recorded.book.state, recorded.leaves)

    assert (alert.reason, alert.relation) == (Reason.RELATED_PARTY, "group")


def test_accounts_bound_to_one_key_are_one_partys_whatever_they_are_called() -> None:
    recorded = Recorded()
    other = account("ZKZT")
    opened = recorded.book.open_account(
        "aix-one", other, account_class="client_segregated", holder="client-z", holder_key=holder_key("client-a")
    )
    accepted(opened)
    sell_and_take_out(recorded)
    again = Transfer(debit=wallet("601", 1), credit=other, asset=TENGE, amount=PROCEEDS)
    recorded.send("transfer", again, by="bank-a")
    (alert,) = quota_alerts(recorded.book.state, recorded.leaves)

    assert (alert.reason, alert.observed) == (Reason.WASH_ROUND_TRIP, 998_000)


def test_money_that_stays_at_the_bank_is_no_round_trip() -> None:
    recorded = Recorded()
    sell_and_take_out(recorded)

    assert quota_alerts(recorded.book.state, recorded.leaves) == ()
