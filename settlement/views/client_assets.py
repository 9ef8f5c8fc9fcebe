"""Clients' property at an exchange: what it owes, what an auditor saw, and what its house paid to affiliates."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta

from ledger.model.assets import TENGE
from ledger.model.record import Record
from ledger.rules.tables import ACCOUNTS, ASSETS, BALANCES
from ledger.state import View
from ledger.units import AccountId, AssetField, ParticipantId, TimestampField, TimestampUs, TotalField
from settlement.affiliate_flows import Flow, exposures, house_flows
from settlement.rules.classes import AFFILIATE_CLIENT
from settlement.rules.reconciliation_order import client_tenge
from settlement.rules.tables import ATTESTATIONS, REQUIREMENTS
from settlement.views.history import Decided

SignedField = Annotated[int, Meta()]
"""A difference, below zero too."""


class AssetOwed(Record, frozen=True, kw_only=True):
    """What an exchange owes its clients of one asset now, in its smallest unit."""

    asset: AssetField
    scale: int
    owed: TotalField
    """Coins it owes by the ledger; tenge on its listed accounts of client classes."""
    attested: TotalField | None = None
    """Coins that an auditor saw, less what left since; absent for the tenge and where nobody looked."""
    observed_us: TimestampField | None = None
    """When the auditor looked."""


class AffiliateExposure(Record, frozen=True, kw_only=True):
    """What the house paid to affiliates in the last days of the period, and what came back; assets are never netted."""

    asset: AssetField
    days: int
    """Length of the window, which ends with the period."""
    paid: Annotated[int, Meta(ge=0)]
    returned: Annotated[int, Meta(ge=0)]
    net: SignedField
    """Paid less returned."""


class AffiliateFlow(Record, frozen=True, kw_only=True):
    """One movement between the house and an affiliate."""

    at_us: TimestampField
    asset: AssetField
    amount: TotalField
    is_paid: bool
    """From the house to the affiliate; false: back."""


class ClientAssets(Record, frozen=True, kw_only=True):
    """Clients' property, and the watch over affiliates."""

    owed: tuple[AssetOwed, ...]
    exposures: tuple[AffiliateExposure, ...]
    flows: tuple[AffiliateFlow, ...]
    """Within the dates, in the order of the log."""


def client_assets(
    view: View, exchange: ParticipantId, sent: Iterable[Decided], from_us: TimestampUs, until_us: TimestampUs
) -> ClientAssets:
    """Return the property of an exchange's clients, and what went between house and affiliates.

    Args:
        view: the state.
        exchange: whose.
        sent: all that it sent, from the beginning of the longest window on.
        from_us: first moment whose flows are listed.
        until_us: first moment after the period.
    """
    flows = [flow for flow in _flows(view, sent) if flow.exchange == exchange]
    until = TimestampUs(until_us - 1)
    return ClientAssets(
        owed=tuple(_owed(view, exchange)),
        exposures=tuple(
            AffiliateExposure(asset=asset, days=days, paid=exposure.paid, returned=exposure.returned, net=exposure.net)
            for (_, asset, days), exposure in sorted(exposures(flows, until).items())
        ),
        flows=tuple(
            AffiliateFlow(
                at_us=flow.at_us,
                asset=flow.asset,
                amount=flow.amount,
                is_paid=flow.to_class == AFFILIATE_CLIENT.name,
            )
            for flow in flows
            if from_us <= flow.at_us < until_us
        ),
    )


def _owed(view: View, exchange: ParticipantId) -> Iterator[AssetOwed]:
    requirement = view.get(REQUIREMENTS, exchange)
    tenge = view.get(ASSETS, TENGE)
    assert tenge is not None, "genesis writes the tenge"
    if requirement is not None:
        # Without an order there is no list, and nobody has summed up the accounts.
        yield AssetOwed(asset=TENGE, scale=tenge.scale, owed=client_tenge(view, exchange, requirement))
    for name, asset in sorted(view.items(ASSETS)):
        if asset.issuer != exchange:
            continue
        attestation = view.get(ATTESTATIONS, name)
        yield AssetOwed(
            asset=asset.asset,
            scale=asset.scale,
            owed=view.get(BALANCES, asset.contra) or 0,
            attested=None if attestation is None else attestation.quantity,
            observed_us=None if attestation is None else attestation.observed_us,
        )


def _flows(view: View, sent: Iterable[Decided]) -> Iterator[Flow]:
    def kept_by(account_id: AccountId) -> tuple[ParticipantId, str]:
        account = view.get(ACCOUNTS, account_id)
        assert account is not None, "what was posted on exists"
        return account.owner, account.account_class

    for each in sent:
        for postings in each.entries:
            yield from house_flows(postings, kept_by, each.row.time_us)
