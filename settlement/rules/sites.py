"""Data centres and meters, permissions of exchanges, and the list of coins with a published price.

All have a history like that of a licence; ``registry_status`` changes them too. What is granted here is read by the
levy, by prices and by whoever asks; a sale is decided as before where a register is empty.
"""

from typing import Final

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.module import Proposal, Submitted
from ledger.state import View
from ledger.units import LabelField, ParticipantField, TimestampField, TimestampUs
from settlement.model.intervals import History, Interval, Status
from settlement.model.parties import PartyField
from settlement.model.registers import Activity, CoinField, ListedCoin, Permission
from settlement.model.sites import EnergySource, Meter, Site, Zone
from settlement.rules.coins import COIN_UNKNOWN
from settlement.rules.parties import PARTY_UNKNOWN, refuse_party
from settlement.rules.registry import GRANT_REFUSALS, PARTICIPANT_ROLE_DIFFERS, grant, refuse_role
from settlement.rules.tables import (
    COINS,
    EXCHANGE_PERMISSIONS,
    METERS,
    PERMISSIONS,
    PRICE_LIST,
    SITES,
)

PERMISSIONS_MAX: Final = 32
"""Most permissions of one exchange: each activity several times over."""


class RegistrySite(Record, frozen=True, kw_only=True):
    """Register a mining data centre for an interval."""

    site: LabelField
    """Number of the data centre."""
    operator: PartyField
    zone: Zone
    from_us: TimestampField
    until_us: TimestampField | None = None


class RegistryMeter(Record, frozen=True, kw_only=True):
    """Register a meter in a data centre for an interval."""

    meter: LabelField
    """Number of the meter."""
    site: LabelField
    source: EnergySource
    from_us: TimestampField
    until_us: TimestampField | None = None


class RegistryPermission(Record, frozen=True, kw_only=True):
    """Register what AFSA permits an exchange, for an interval."""

    permission: LabelField
    """Number of the permission."""
    exchange: ParticipantField
    activity: Activity
    from_us: TimestampField
    until_us: TimestampField | None = None


class RegistryPriceList(Record, frozen=True, kw_only=True):
    """Put a coin on the list of those whose value is published, for an interval."""

    coin: CoinField
    from_us: TimestampField
    until_us: TimestampField | None = None


SITE_UNKNOWN = RefusalCode("site_unknown", "No data centre of this number is registered.")
PERMISSIONS_TOO_MANY = RefusalCode("permissions_too_many", "The exchange has no room for another permission.")

SITE_REFUSALS: Final = (PARTY_UNKNOWN, *GRANT_REFUSALS)
METER_REFUSALS: Final = (SITE_UNKNOWN, *GRANT_REFUSALS)
PERMISSION_REFUSALS: Final = (PARTICIPANT_ROLE_DIFFERS, *GRANT_REFUSALS, PERMISSIONS_TOO_MANY)
PRICE_LIST_REFUSALS: Final = (COIN_UNKNOWN, *GRANT_REFUSALS)


def decide_site(view: View, submitted: Submitted) -> Proposal | Refused:
    """Take a data centre into the register."""
    body: RegistrySite = submitted.signed.body
    if refused := refuse_party(view, body.operator):
        return refused
    site = Site(operator=body.operator, zone=body.zone, history=_active(body.from_us, body.until_us))
    return grant(view, SITES, body.site, site)


def decide_meter(view: View, submitted: Submitted) -> Proposal | Refused:
    """Take a meter into the register."""
    body: RegistryMeter = submitted.signed.body
    if view.get(SITES, body.site) is None:
        return Refused(SITE_UNKNOWN, detail=f"data centre {body.site}")
    meter = Meter(site=body.site, source=body.source, history=_active(body.from_us, body.until_us))
    return grant(view, METERS, body.meter, meter)


def decide_permission(view: View, submitted: Submitted) -> Proposal | Refused:
    """Take a permission of an exchange into the register."""
    body: RegistryPermission = submitted.signed.body
    if refused := refuse_role(view, body.exchange, Role.EXCHANGE):
        return refused
    history = _active(body.from_us, body.until_us)
    permission = Permission(exchange=body.exchange, activity=body.activity, history=history)
    granted = grant(view, PERMISSIONS, body.permission, permission)
    numbers = view.get(EXCHANGE_PERMISSIONS, body.exchange) or ()
    if isinstance(granted, Refused) or body.permission in numbers:
        return granted
    if len(numbers) == PERMISSIONS_MAX:
        return Refused(PERMISSIONS_TOO_MANY, detail=f"exchange {body.exchange} has {len(numbers)} permissions")
    index = (EXCHANGE_PERMISSIONS, body.exchange, (*numbers, body.permission))
    return Proposal(changes=(*granted.changes, index), record={})


def decide_price_list(view: View, submitted: Submitted) -> Proposal | Refused:
    """Put a coin on the price list."""
    body: RegistryPriceList = submitted.signed.body
    if view.get(COINS, body.coin) is None:
        return Refused(COIN_UNKNOWN, detail=f"coin {body.coin}")
    return grant(view, PRICE_LIST, body.coin, ListedCoin(history=_active(body.from_us, body.until_us)))


def _active(from_us: TimestampUs, until_us: TimestampUs | None) -> History:
    return (Interval(status=Status.ACTIVE, from_us=from_us, until_us=until_us),)
