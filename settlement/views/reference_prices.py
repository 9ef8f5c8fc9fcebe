"""Published prices of coins that come with the package: the days of the pilot (``settlement/data/README.md``)."""

import csv
from collections.abc import Mapping
from importlib import resources

from ledger.units import BusinessDate


def reference_prices() -> Mapping[BusinessDate, int]:
    """Return the price of one whole bitcoin in tiyn, by date."""
    text = resources.files("settlement").joinpath("data/reference_prices.csv").read_text(encoding="ascii")
    rows = csv.DictReader(text.splitlines())
    return {BusinessDate(row["date"]): int(row["btc_kzt_tiyn"]) for row in rows}
