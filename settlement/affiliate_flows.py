"""Money from an exchange's house to its affiliates, over the last day, week and month.

What FTX lent its sister firm stood nowhere. On the ledger each payment from an account of the exchange's own classes to
an account of class ``affiliate_client`` is a posting, so the exposure is a sum over postings that anyone can repeat.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.model.journal import Posting, Side
from ledger.units import AccountId, AssetId, ParticipantId, TimestampUs
from settlement.rules.classes import AFFILIATE_CLIENT, HOUSE, HOUSE_CLASSES

DAY_US: Final = 24 * 3_600_000_000
"""Microseconds in a day."""

WINDOWS_DAYS: Final = (1, 7, 30)
"""Lengths of the windows, in days."""

KeptBy = Callable[[AccountId], tuple[ParticipantId, str]]
"""Tells who keeps an account, and of which class it is."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One movement between two classes of accounts."""

    at_us: TimestampUs
    exchange: ParticipantId
    """Whose house paid, or was paid."""
    from_class: str
    to_class: str
    asset: AssetId
    amount: int
    """In the asset's smallest unit."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a house paid to affiliates in one window, and what came back."""

    paid: int = 0
    returned: int = 0

    @property
    def net(self) -> int:
        """Paid less returned; below zero where more came back than was paid within the window."""
        return self.paid - self.returned


def exposures(flows: Iterable[Flow], until_us: TimestampUs) -> Mapping[tuple[ParticipantId, AssetId, int], Exposure]:
    """Return the exposure by exchange, asset and days of the window; windows are (until - days, until].

    Assets are never netted against each other. An exchange and asset without flows in a window has no row for it.
    """
    sums: dict[tuple[ParticipantId, AssetId, int], Exposure] = {}
    for flow in flows:
        is_paid = flow.from_class in HOUSE_CLASSES and flow.to_class == AFFILIATE_CLIENT.name
        is_returned = flow.from_class == AFFILIATE_CLIENT.name and flow.to_class in HOUSE_CLASSES
        if not is_paid and not is_returned:
            continue
        for days in WINDOWS_DAYS:
            if until_us - days * DAY_US < flow.at_us <= until_us:
                key = (flow.exchange, flow.asset, days)
                before = sums.get(key, Exposure())
                sums[key] = Exposure(
                    before.paid + (flow.amount if is_paid else 0), before.returned + (0 if is_paid else flow.amount)
                )
    return sums


def house_flows(postings: Iterable[Posting], kept_by: KeptBy, at_us: TimestampUs) -> tuple[Flow, ...]:
    """Return the flows between houses and affiliates in one journal entry.

    An entry of many postings does not say which debit paid which credit. So a house counts as paying affiliates all
    that it was debited, up to all that affiliates were credited in that asset: never less than what it paid them.
    """
    sums: dict[tuple[AssetId, Side, str, ParticipantId], int] = {}
    for posting in postings:
        owner, account_class = kept_by(posting.account)
        kind = HOUSE.name if account_class in HOUSE_CLASSES else account_class
        key = (posting.asset, posting.side, kind, owner)
        sums[key] = sums.get(key, 0) + posting.amount
    flows = []
    for (asset, side, kind, owner), amount in sorted(sums.items()):
        if kind != HOUSE.name:
            continue
        other = Side.CREDIT if side is Side.DEBIT else Side.DEBIT
        across = sum(
            total
            for (its_asset, its_side, its_kind, _), total in sums.items()
            if (its_asset, its_side, its_kind) == (asset, other, AFFILIATE_CLIENT.name)
        )
        if across:
            ends = (HOUSE.name, AFFILIATE_CLIENT.name)
            from_class, to_class = ends if side is Side.DEBIT else reversed(ends)
            flows.append(Flow(at_us, owner, from_class, to_class, asset, min(amount, across)))
    return tuple(flows)
