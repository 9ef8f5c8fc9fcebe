"""The verbs of settlement, one file a capability, and the rulebook they make together with the money's. Pure."""

from collections.abc import Mapping
from typing import Final

from ledger.rules.core import CORE_MODULES
from ledger.rules.rulebook import Rulebook
from settlement.rules import coins, custody, dvp, mandates, miners, production, registry, segregation, tariff

RULEBOOK: Final = Rulebook(
    1,
    (
        *CORE_MODULES,
        registry.MODULE,
        miners.MODULE,
        coins.MODULE,
        production.MODULE,
        custody.MODULE,
        tariff.MODULE,
        mandates.MODULE,
        dvp.MODULE,
        segregation.MODULE,
    ),
)
"""The rules of the first release. A capability more is a line more."""

RULEBOOKS: Final[Mapping[int, Rulebook]] = {1: RULEBOOK}
"""Every version of the rules that blocks may have been decided under."""
