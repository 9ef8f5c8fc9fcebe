"""Many rows of the registers in one signed transaction: all of them, or none.

One kind for all registers, and not one for each, because a register comes as a file: who signs it answers for the
whole, a row that is wrong must not leave half a register behind, and each row may rest on the ones before it. The
rows are decided one after the other by the same rules as single ones; the refusal names the first row at fault.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.model.transactions import SignedTransaction
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.state import Overlay, View
from ledger.units import DigestField
from settlement.rules import coins, miners, parties, registry, sites
from settlement.rules.tables import (
    EXCHANGE_PERMISSIONS,
    EXPOSURES,
    METERS,
    PARTIES,
    PERMISSIONS,
    PRICE_LIST,
    RELATED,
    SITES,
)

ROWS_PER_LOAD_MAX: Final = 1_000
"""Most rows of one load: several times all miners, licences, pools and exchanges there are, and under a mebibyte."""


class ExchangeRow(registry.RegistryExchange, frozen=True, kw_only=True, tag_field="row", tag="exchange"):
    """An exchange, as in ``registry_exchange``."""


class PoolRow(registry.RegistryPool, frozen=True, kw_only=True, tag_field="row", tag="pool"):
    """A pool, as in ``registry_pool``."""


class MinerRow(miners.RegistryMiner, frozen=True, kw_only=True, tag_field="row", tag="miner"):
    """A miner, as in ``registry_miner``."""


class LicenceRow(miners.RegistryLicence, frozen=True, kw_only=True, tag_field="row", tag="licence"):
    """A licence, as in ``registry_licence``."""


class CoinRow(coins.RegistryCoin, frozen=True, kw_only=True, tag_field="row", tag="coin"):
    """A coin, as in ``registry_coin``."""


class StatusRow(registry.RegistryStatus, frozen=True, kw_only=True, tag_field="row", tag="status"):
    """A change of status, as in ``registry_status``."""


class PartyRow(parties.RegistryParty, frozen=True, kw_only=True, tag_field="row", tag="party"):
    """A group, legal entity or person."""


class RelationRow(parties.RegistryRelation, frozen=True, kw_only=True, tag_field="row", tag="relation"):
    """What another party is to a party."""


class ExposureRow(parties.RegistryExposure, frozen=True, kw_only=True, tag_field="row", tag="exposure"):
    """A term in a public office."""


class SiteRow(sites.RegistrySite, frozen=True, kw_only=True, tag_field="row", tag="site"):
    """A data centre."""


class MeterRow(sites.RegistryMeter, frozen=True, kw_only=True, tag_field="row", tag="meter"):
    """A meter."""


class PermissionRow(sites.RegistryPermission, frozen=True, kw_only=True, tag_field="row", tag="permission"):
    """A permission of an exchange."""


class PriceListRow(sites.RegistryPriceList, frozen=True, kw_only=True, tag_field="row", tag="price_list"):
    """A coin whose value is published."""


RegisterRow = (
    ExchangeRow
    | PoolRow
    | MinerRow
    | LicenceRow
    | CoinRow
    | StatusRow
    | PartyRow
    | RelationRow
    | ExposureRow
    | SiteRow
    | MeterRow
    | PermissionRow
    | PriceListRow
)


class RegistryLoad(Record, frozen=True, kw_only=True):
    """Take many rows into the registers, each told by its member ``row``; all of them, or none."""

    source: DigestField
    """SHA-256 of the file the rows come from."""
    rows: Annotated[tuple[RegisterRow, ...], Meta(min_length=1, max_length=ROWS_PER_LOAD_MAX)]


Decide = Callable[[View, Submitted], Proposal | Refused]

_STANDING: Final[Mapping[str, Kind]] = {
    kind.name: kind for module in (registry.MODULE, miners.MODULE, coins.MODULE) for kind in module.kinds
}


def _as_kind(name: str) -> tuple[Decide, tuple[RefusalCode, ...]]:
    kind = _STANDING[name]
    return kind.decide, kind.refusals


_DECISIONS: Final[Mapping[type[Any], tuple[Decide, tuple[RefusalCode, ...]]]] = {
    ExchangeRow: _as_kind("registry_exchange"),
    PoolRow: _as_kind("registry_pool"),
    MinerRow: _as_kind("registry_miner"),
    LicenceRow: _as_kind("registry_licence"),
    CoinRow: _as_kind("registry_coin"),
    StatusRow: _as_kind("registry_status"),
    PartyRow: (parties.decide_party, parties.PARTY_REFUSALS),
    RelationRow: (parties.decide_relation, parties.RELATION_REFUSALS),
    ExposureRow: (parties.decide_exposure, parties.EXPOSURE_REFUSALS),
    SiteRow: (sites.decide_site, sites.SITE_REFUSALS),
    MeterRow: (sites.decide_meter, sites.METER_REFUSALS),
    PermissionRow: (sites.decide_permission, sites.PERMISSION_REFUSALS),
    PriceListRow: (sites.decide_price_list, sites.PRICE_LIST_REFUSALS),
}


def _load(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryLoad = submitted.signed.body
    overlay = Overlay(view)
    for line, row in enumerate(body.rows):
        decide, _ = _DECISIONS[type(row)]
        answer = decide(overlay, _as_one(submitted, row))
        if isinstance(answer, Refused):
            return Refused(answer.code, line, f"row {line + 1}, {_name(row)}: {answer.detail}")
        for table, key, value in answer.changes:
            overlay.put(table, key, value)
    # From here every row is taken.
    return Proposal(
        changes=tuple((table, key, value) for table, rows in overlay.writes() for key, value in rows.items()),
        record={"rows": dict(Counter(_name(row) for row in body.rows))},
    )


def _as_one(submitted: Submitted, row: RegisterRow) -> Submitted:
    """The same submission, as if the row were its body."""
    signed = submitted.signed
    as_one = SignedTransaction(
        transaction=msgspec.structs.replace(signed.transaction, body=row),
        payload=signed.payload,
        transaction_id=signed.transaction_id,
        authorised_by=signed.authorised_by,
        signers=signed.signers,
        submission=signed.submission,
    )
    return Submitted(as_one, submitted.time_us, submitted.business_date, submitted.classes)


def _name(row: RegisterRow) -> str:
    return str(row.__struct_config__.tag)


def _weight(body: RegistryLoad) -> int:
    return len(body.rows)


MODULE = RuleModule(
    name="register_load",
    meaning="The registers, loaded from a signed file; parties, data centres, permissions and the price list.",
    tables=(PARTIES, RELATED, EXPOSURES, SITES, METERS, PERMISSIONS, EXCHANGE_PERMISSIONS, PRICE_LIST),
    kinds=(
        Kind(
            name="registry_load",
            body=RegistryLoad,
            meaning="Take many rows into the registers, all of them or none.",
            refusals=tuple(dict.fromkeys(code for _, refusals in _DECISIONS.values() for code in refusals)),
            decide=_load,
            weight=_weight,
        ),
    ),
)
