"""What speaks against a sale, found over the ledger's own flows (rules 12 and 13). A hit is for a person to judge.

Nothing here changes a claim: an authority or the operator puts what it finds on record with `claim_flag`.
"""

import bisect
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.model.assets import TENGE
from ledger.model.record import Record
from ledger.units import AccountId, AssetId, DigestField, TimestampUs
from settlement.model.claims import EVIDENCE_MAX, Reason
from settlement.model.quota_policies import FlagPolicy, policy_on
from settlement.model.trades import QuotaClaim
from settlement.quota.flows import Flow
from settlement.quota.round_trips import SINK, SOURCE, Payment, Returned, returned

MILLION: Final = 1_000_000
"""Parts of a whole: shares are in parts per million."""

SAME: Final = "same"
"""Relation of a party to itself."""


class Alert(Record, frozen=True, kw_only=True):
    """One thing that speaks against one claim."""

    claim: str
    reason: Reason
    observed: int
    """Parts per million: of the amount that came back, or of the reference that the price is off; 0 where none fits."""
    evidence: tuple[DigestField, ...]
    """Transactions that show it, the sale's own first; at most as many as a flag takes."""
    relation: str | None = None
    """What seller and buyer are to each other, where that is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who is behind accounts, and who belongs with whom."""

    party_of: Callable[[AccountId], str]
    """Accounts of one holder have one party."""
    related: Callable[[str, str, TimestampUs], str | None]
    """How two parties were related at a moment, ``same`` for one party; None: not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledSale:
    """A claim with what its entry moved."""

    key: str
    claim: QuotaClaim
    asset: AssetId
    """In which the exchange owes the coin."""
    seller: AccountId
    buyer: AccountId
    sequence: int
    """Of its entry."""


def settled_sales(
    claims: Iterable[tuple[str, QuotaClaim]], flows: Iterable[Flow], party_of: Callable[[AccountId], str]
) -> list[SettledSale]:
    """Return the claims whose flow of coins is among the flows, in the order of their keys.

    Where several sales settled in one transaction, each is found by its miner, coin and quantity. Those that have all
    three alike may stand for each other.
    """
    coins: dict[tuple[str, str, str, int], list[Flow]] = {}
    for flow in flows:
        if flow.asset != TENGE:
            coin = flow.asset.partition(":")[0]
            coins.setdefault((flow.transaction, party_of(flow.debited), coin, flow.amount), []).append(flow)
    found = []
    for key, claim in sorted(claims):
        if legs := coins.get((claim.transaction, claim.miner, claim.coin, claim.quantity)):
            leg = legs.pop(0)
            found.append(
                SettledSale(
                    key=key,
                    claim=claim,
                    asset=leg.asset,
                    seller=leg.debited,
                    buyer=leg.credited,
                    sequence=leg.sequence,
                )
            )
    return found


def alerts(
    sales: Iterable[SettledSale],
    flows: Sequence[Flow],
    parties: Parties,
    *,
    policies: Sequence[FlagPolicy],
    passed_over: Collection[str] = (),
) -> tuple[Alert, ...]:
    """Return what speaks against sales.

    Args:
        sales: see `settled_sales`.
        flows: of the ledger, in its order.
        parties: who is behind accounts.
        policies: dated, not overlapping; a sale on a date without one raises nothing.
        passed_over: kinds whose flows are no return: the reversal of a busted trade.
    """
    kept = [flow for flow in flows if flow.kind not in passed_over]
    found: list[Alert] = []
    for sale in sales:
        policy = policy_on(policies, sale.claim.executed_on)
        if policy is not None:
            found += _alerts(sale, kept, parties, policy)
    return tuple(found)


def price_off_ppm(price: int, reference: int) -> int:
    """Return how far a price is off the reference, in parts per million of it, rounded up."""
    return -(-abs(price - reference) * MILLION // reference)


def _alerts(sale: SettledSale, flows: Sequence[Flow], parties: Parties, policy: FlagPolicy) -> Iterator[Alert]:
    seller, buyer = parties.party_of(sale.seller), parties.party_of(sale.buyer)
    relation = parties.related(seller, buyer, sale.claim.executed_us)
    if relation is not None:
        reason = Reason.SELF_TRADE if relation == SAME else Reason.RELATED_PARTY
        yield _alert(sale, reason, 0, relation=relation)
    off = price_off_ppm(sale.claim.price, sale.claim.reference_price)
    if off > policy.price_off_ppm:
        yield _alert(sale, Reason.PRICE_OFF_REFERENCE, off)
    if relation is not None:
        # Within one group nothing can be told from a return.
        return
    window = _window(flows, sale, policy)
    for reason, asset, source, amount in (
        (Reason.WASH_ROUND_TRIP, TENGE, (seller, buyer), sale.claim.amount),
        (Reason.COINS_RETURNED, sale.asset, (buyer, seller), sale.claim.quantity),
    ):
        trip = _returned(window, asset, source, parties, sale, amount=amount, hops=policy.hops)
        if trip.amount * MILLION >= amount * policy.returned_ppm:
            yield _alert(sale, reason, trip.amount * MILLION // amount, trip.transactions)


def _window(flows: Sequence[Flow], sale: SettledSale, policy: FlagPolicy) -> Sequence[Flow]:
    """The flows after the sale, until the window closes; times never go back along the log."""
    start = bisect.bisect_right(flows, sale.sequence, key=_sequence)
    end = bisect.bisect_right(flows, sale.claim.settled_us + policy.window_us, lo=start, key=_time_us)
    return flows[start:end]


def _sequence(flow: Flow) -> int:
    return flow.sequence


def _time_us(flow: Flow) -> int:
    return flow.time_us


def _returned(
    window: Iterable[Flow],
    asset: AssetId,
    ends: tuple[str, str],
    parties: Parties,
    sale: SettledSale,
    *,
    amount: int,
    hops: int,
) -> Returned:
    """What of one leg could have come back from the group that received it to the group that paid it."""
    roles: dict[str, str] = {}

    def role_of(account: AccountId) -> str:
        party = parties.party_of(account)
        if party not in roles:
            groups = [parties.related(party, end, sale.claim.executed_us) is not None for end in ends]
            roles[party] = SOURCE if groups[0] else SINK if groups[1] else f"party {party}"
        return roles[party]

    payments = [
        Payment(role_of(flow.debited), role_of(flow.credited), flow.amount, flow.transaction)
        for flow in window
        if flow.asset == asset and flow.transaction != sale.claim.transaction
    ]
    return returned(payments, amount=amount, hops=hops)


def _alert(
    sale: SettledSale,
    reason: Reason,
    observed: int,
    transactions: Iterable[str] = (),
    *,
    relation: str | None = None,
) -> Alert:
    evidence = tuple(dict.fromkeys((sale.claim.transaction, *transactions)))
    return Alert(claim=sale.key, reason=reason, observed=observed, evidence=evidence[:EVIDENCE_MAX], relation=relation)
