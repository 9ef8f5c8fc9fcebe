"""Meter readings: what each miner drew, from where, and at what price; two sign, and nothing is counted twice.

A reading is signed by the owner of the data centre and by a grid company or the system operator of the zone. Where the
owner takes no part in the ledger, a miner that drew through the meter signs in its place. A meter's readings follow
each other without a gap, so a time without a working meter is a reading too, estimated and marked so. A correction
supersedes a reading for the same interval; what either says stays in the log.

A reading lies within one quarter of local time, so that it has one levy regime and one average price.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from ledger.crypto.canonical import b64url
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import THE, UTC_OFFSETS
from ledger.state import View
from ledger.units import LabelField, ParticipantId, TimestampField, TimestampUs
from settlement.model.energy import (
    LINES_PER_READING_MAX,
    EnergyLine,
    KwhTotalField,
    LastReading,
    Reading,
    is_bought,
    lines_by_miner,
    restated,
)
from settlement.model.intervals import was_active
from settlement.model.local_time import local_date
from settlement.model.parties import PartyForm, form_of
from settlement.model.production import NumberField
from settlement.model.quarters import QuarterField, quarter_of
from settlement.model.sites import Meter, Site
from settlement.rules.miners import MINER_UNKNOWN
from settlement.rules.tables import ENERGY, LAST_READINGS, METERS, MINERS, READINGS, SITES
from settlement.rules.utilities import is_signed_by_utility


class MeterReading(Record, frozen=True, kw_only=True):
    """What went through a meter from one moment until just before another."""

    meter: LabelField
    number: NumberField
    """One more than the meter's last reading; the first is 1."""
    version: NumberField = 1
    """1, or one more than the version of this number that stands: a correction of it."""
    from_us: TimestampField
    until_us: TimestampField
    energy_kwh: KwhTotalField
    """The whole of it: the sum of the lines."""
    lines: Annotated[tuple[EnergyLine, ...], Meta(max_length=LINES_PER_READING_MAX)] = ()
    """Who drew it, from where; none if nothing was drawn."""


METER_UNKNOWN = RefusalCode("meter_unknown", "No meter of this number is registered.")
METER_OF_OTHER = RefusalCode(
    "meter_of_other",
    "The sender does not hold the data centre of the meter or, if no participant does, is in no line of the reading.",
)
METER_NOT_ACTIVE = RefusalCode("meter_not_active", "The meter was not active when the interval began.")
READING_NOT_COSIGNED = RefusalCode(
    "reading_not_cosigned", "No grid company or system operator registered for the meter's zone signed the reading."
)
READING_OUT_OF_ORDER = RefusalCode(
    "reading_out_of_order", "The number is neither the next one of the meter nor one that a correction may name."
)
READING_VERSION_WRONG = RefusalCode(
    "reading_version_wrong", "A new reading has version 1, a correction one more than what stands."
)
READING_INTERVAL_WRONG = RefusalCode(
    "reading_interval_wrong",
    "The interval is empty or not over, does not begin where the last one ended, or is not the corrected one.",
)
READING_SPANS_QUARTERS = RefusalCode("reading_spans_quarters", "The interval does not lie within one local quarter.")
READING_SUM_DIFFERS = RefusalCode("reading_sum_differs", "The lines do not add up to the energy of the meter.")
READING_SOURCES_WRONG = RefusalCode(
    "reading_sources_wrong",
    "Sources ascend, each once, and the one the meter is registered for, or like it bought, is among them.",
)
READING_PRICE_WRONG = RefusalCode(
    "reading_price_wrong", "Bought energy has a price, unless it is estimated; own energy has none."
)
ENERGY_TOO_LARGE = RefusalCode(
    "energy_too_large", "The miner's energy of the quarter, or what it cost, would be more than can be counted."
)


def _reading(view: View, submitted: Submitted) -> Proposal | Refused:
    body: MeterReading = submitted.signed.body
    meter = view.get(METERS, body.meter)
    if meter is None:
        return Refused(METER_UNKNOWN, detail=f"meter {body.meter}")
    site = view.get(SITES, meter.site)
    assert site is not None, "a meter is registered in a data centre"
    quarter = _quarter(view, body)
    refused = (
        _refuse_signers(view, submitted, meter, site, body)
        or _refuse_place(view, submitted, body, quarter)
        or _refuse_lines(view, meter, body.lines, body.energy_kwh)
    )
    if refused is not None:
        return refused
    key = f"{body.meter}/{body.number}"
    standing = view.get(READINGS, key)
    removed = lines_by_miner(() if standing is None else standing.lines)
    added = lines_by_miner(body.lines)
    changes = []
    for miner in sorted(removed.keys() | added.keys()):
        energy_key = f"{miner}/{quarter}"
        totals = restated(view.get(ENERGY, energy_key) or (), removed.get(miner, ()), added.get(miner, ()))
        if totals is None:
            return Refused(ENERGY_TOO_LARGE, detail=f"miner {miner}, quarter {quarter}")
        changes.append((ENERGY, energy_key, totals))
    # From here the reading counts.
    reading = Reading(
        from_us=body.from_us,
        until_us=body.until_us,
        version=body.version,
        lines=body.lines,
        transaction=b64url(submitted.signed.transaction_id),
    )
    last = () if standing else ((LAST_READINGS, body.meter, LastReading(number=body.number, until_us=body.until_us)),)
    return Proposal(changes=((READINGS, key, reading), *last, *changes), record={"quarter": quarter})


def _refuse_signers(view: View, submitted: Submitted, meter: Meter, site: Site, body: MeterReading) -> Refused | None:
    sender = submitted.signed.transaction.participant
    if not _may_send(sender, site, body):
        return Refused(METER_OF_OTHER, detail=f"meter {body.meter} in data centre {meter.site}")
    if not was_active(meter.history, body.from_us):
        return Refused(METER_NOT_ACTIVE, detail=f"meter {body.meter} at {body.from_us}")
    if not is_signed_by_utility(view, submitted, site.zone):
        return Refused(READING_NOT_COSIGNED, detail=f"zone {site.zone}")
    return None


def _may_send(sender: ParticipantId, site: Site, body: MeterReading) -> bool:
    """The owner; of a data centre whose owner is no participant, any miner that drew through the meter."""
    if form_of(site.operator) is PartyForm.PARTICIPANT:
        return sender == site.operator
    return any(line.miner == sender for line in body.lines)


def _refuse_place(view: View, submitted: Submitted, body: MeterReading, quarter: QuarterField | None) -> Refused | None:
    """Whether the reading is the next one, or corrects one that stands."""
    last = view.get(LAST_READINGS, body.meter)
    last_number = 0 if last is None else last.number
    if body.number > last_number + 1:
        return Refused(READING_OUT_OF_ORDER, detail=f"expected at most {last_number + 1}, got {body.number}")
    standing = view.get(READINGS, f"{body.meter}/{body.number}")
    version = 1 if standing is None else standing.version + 1
    if body.version != version:
        return Refused(READING_VERSION_WRONG, detail=f"expected {version}, got {body.version}")
    if body.from_us >= body.until_us or body.until_us > submitted.time_us:
        return Refused(READING_INTERVAL_WRONG, detail=f"from {body.from_us} until {body.until_us}")
    if standing is not None and (standing.from_us, standing.until_us) != (body.from_us, body.until_us):
        return Refused(READING_INTERVAL_WRONG, detail=f"expected {standing.from_us} until {standing.until_us}")
    if standing is None and last is not None and body.from_us != last.until_us:
        return Refused(READING_INTERVAL_WRONG, detail=f"expected from {last.until_us}, got {body.from_us}")
    if quarter is None:
        return Refused(READING_SPANS_QUARTERS, detail=f"from {body.from_us} until {body.until_us}")
    return None


def _refuse_lines(view: View, meter: Meter, lines: Sequence[EnergyLine], energy_kwh: int) -> Refused | None:
    if sum(line.energy_kwh for line in lines) != energy_kwh:
        return Refused(READING_SUM_DIFFERS, detail=f"expected {energy_kwh} kWh in all")
    for number, line in enumerate(lines):
        if view.get(MINERS, line.miner) is None:
            return Refused(MINER_UNKNOWN, number, f"line {number}: miner {line.miner}")
        if not _fits(meter, line):
            return Refused(READING_SOURCES_WRONG, number, f"line {number}: the meter is for {meter.source}")
        if not _is_priced_right(line):
            return Refused(READING_PRICE_WRONG, number, f"line {number}: price {line.price}")
    return None


def _fits(meter: Meter, line: EnergyLine) -> bool:
    """A source more can only raise the rate; the registered one may not be left out for a lower one."""
    if line.sources != tuple(sorted(set(line.sources))):
        return False
    return meter.source in line.sources or (is_bought((meter.source,)) and is_bought(line.sources))


def _is_priced_right(line: EnergyLine) -> bool:
    return is_bought(line.sources) if line.price is not None else line.is_unmetered or not is_bought(line.sources)


def _quarter(view: View, body: MeterReading) -> QuarterField | None:
    """The quarter in which the interval lies; None if there is no such one."""
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    last_us = TimestampUs(max(body.from_us, body.until_us - 1))
    quarter = quarter_of(local_date(offsets, body.from_us))
    return quarter if quarter == quarter_of(local_date(offsets, last_us)) else None


MODULE = RuleModule(
    name="energy",
    meaning="Meter readings, and the energy of miners that follows.",
    tables=(READINGS, LAST_READINGS, ENERGY),
    kinds=(
        Kind(
            name="meter_reading",
            body=MeterReading,
            meaning="Put on record what went through a meter, or correct it.",
            refusals=(
                METER_UNKNOWN,
                METER_OF_OTHER,
                METER_NOT_ACTIVE,
                READING_NOT_COSIGNED,
                READING_OUT_OF_ORDER,
                READING_VERSION_WRONG,
                READING_INTERVAL_WRONG,
                READING_SPANS_QUARTERS,
                READING_SUM_DIFFERS,
                MINER_UNKNOWN,
                READING_SOURCES_WRONG,
                READING_PRICE_WRONG,
                ENERGY_TOO_LARGE,
            ),
            decide=_reading,
        ),
    ),
)
