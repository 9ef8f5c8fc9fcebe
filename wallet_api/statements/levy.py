"""The levy of a quarter on paper."""

from settlement.model.levy_statement import LevyStatement
from settlement.model.quarters import DueDate
from wallet_api.statements.document import Amount, Cell, Sheet, columns


def levy_facts(levy: LevyStatement) -> tuple[tuple[str, Cell], ...]:
    """Return the sums of a levy statement and its dates, by name."""
    return (
        ("regime", levy.regime or "none in force"),
        ("energy, kWh", levy.energy_kwh),
        ("average price, KZT for one kWh", "" if levy.average_price is None else Amount(levy.average_price)),
        ("levy, KZT", Amount(levy.levy)),
        ("paid, KZT", Amount(levy.paid)),
        ("outstanding, KZT", Amount(levy.outstanding)),
        ("overpaid, KZT", Amount(levy.overpaid)),
        ("declaration due", _due(levy.declaration)),
        ("payment due", _due(levy.payment)),
        ("legal source", levy.legal_source),
        ("legal status", levy.legal_status or ""),
        ("inputs", levy.inputs),
    )


def levy_sheet(levy: LevyStatement) -> Sheet:
    """Return the lines of a levy statement."""
    return Sheet(
        name=f"levy lines {levy.quarter}",
        title=f"Energy of {levy.quarter} and its rates",
        columns=columns("sources", "meter", "#energy, kWh", "#rate, KZT for one kWh", "rate by", "#levy, KZT", "note"),
        rows=[
            (
                ", ".join(line.sources),
                "estimated" if line.is_unmetered else "metered",
                line.energy_kwh,
                Amount(line.rate),
                line.decided_by,
                Amount(line.amount),
                line.note or "",
            )
            for line in levy.lines
        ],
    )


def _due(due: DueDate | None) -> str:
    if due is None:
        return "none asked for"
    if due.nominal == due.shifted:
        return due.nominal
    return f"{due.shifted} (the act names {due.nominal}, a day without work; that it shifts is {due.shift_status})"
