"""A day of ``aix-one`` on which everything happens that a statement tells of, for the tests of those who read it."""

from ledger.model.outcome import Outcome
from ledger.units import AssetId, ParticipantId, TimestampUs
from settlement.model.claims import Reason
from settlement.model.sites import EnergySource
from settlement.rules.claims import ClaimFlagging
from settlement.rules.levy import LevyPay
from settlement.rules.liabilities import LiabilitiesPublish
from settlement.solvency import Owed, Scope, SumTree
from tests.book import Book
from tests.settlement import instructed, market, power, reconciling
from tests.settlement.market import BTC, COIN, accepted
from tests.wallet_api.replayed import register_authorities

CLIENTS = (Owed("miner-one", 10 * BTC, bytes([1]) * 16), Owed("client-b", 5 * BTC, bytes([2]) * 16))
"""What ``aix-one`` owes of its coins in the morning."""

TREE = SumTree(Scope(ParticipantId("aix-one"), COIN, reconciling.TODAY), CLIENTS)  # type: ignore[arg-type]


def busy_day() -> Book:
    """Reconciled and published; one sale at once, one instructed and undone in part, one failed; a doubt; a loan."""
    book = market.market()
    register_authorities(book)
    accepted(market.report(book, market.row(), market.row(2, distributed_us=TimestampUs(book.time_us - 10**11))))
    accepted(reconciling.require(book))
    accepted(reconciling.cut(book))
    accepted(reconciling.reconcile(book))
    accepted(publish(book))
    accepted(market.settle(book, trade="T-0", quantity=BTC // 1_000, fee=9_755))
    instructed.settled(book, "T-1", instructed.terms(book, quantity=BTC // 1_000))
    assert instructed.reverse(book, "T-1", quantity=BTC // 4_000) == "accepted"
    instructed.match(book, "T-2", instructed.terms(book, quantity=BTC // 1_000))
    accepted(doubt(book, "aix-one/T-0"))
    market.fund(book, "HOUSE", 500_000)
    accepted(reconciling.pay_in(book, "HOUSE", "FKZT", 300_000))
    reconciling.next_day(book)
    reconciling.next_day(book, "2024-12-31")
    instructed.pass_time(book, 5 * market.DAY_US)
    accepted(instructed.release(book, "T-2"))
    return book


def power_day() -> Book:
    """Energy was read and its levy paid in part; authorities are registered."""
    book = power.power_market()
    register_authorities(book)
    accepted(power.read(book, power.line(1_000_000, price=2_610)))
    accepted(power.read(book, power.line(2_000, EnergySource.OWN), meter="M-gas"))
    paid = LevyPay(
        miner=ParticipantId("miner-one"),
        quarter="2024-Q4",
        payer=power.MINER_OWN,
        treasury=power.TREASURY,
        amount=50_000_000,
    )
    accepted(book.submit("levy_pay", paid, by="miner-one"))
    accepted(power.publish(book))
    accepted(power.buy(book))
    return book


def doubt(book: Book, claim: str) -> Outcome:
    """The ministry puts on record what speaks against a sale."""
    body = ClaimFlagging(claim=claim, reason=Reason.WASH_ROUND_TRIP, evidence=(market.commitment("sale"),))
    return book.submit("claim_flag", body, by="ministry")


def publish(book: Book, asset: AssetId = COIN) -> Outcome:
    """The exchange publishes the root of its tree."""
    tree = TREE.published()
    body = LiabilitiesPublish(asset=asset, date=tree.date, root=tree.root, total=tree.total, leaves=tree.leaves)
    return book.submit("liabilities_publish", body, by="aix-one", signers=("aix-one-1", "aix-one-2"))
