"""State tables of settlement."""

from typing import Final

from ledger.state import Table
from settlement.model.custody import Attestation, Tariff
from settlement.model.production import ProductionLot
from settlement.model.registers import Coin, Exchange, Licence, Miner, Pool
from settlement.model.trades import QuotaClaim

EXCHANGES: Final = Table[Exchange]("exchanges", Exchange)
POOLS: Final = Table[Pool]("pools", Pool)
MINERS: Final = Table[Miner]("miners", Miner)
BINS: Final = Table[str]("bins", str)
"""BIN to miner: a BIN is registered once."""
LICENCES: Final = Table[Licence]("licences", Licence)
MINER_LICENCES: Final = Table[tuple[str, ...]]("miner_licences", tuple[str, ...])
"""Miner to the numbers of its licences."""
COINS: Final = Table[Coin]("coins", Coin)
MINER_ACCOUNTS: Final = Table[str]("miner_accounts", str)
"""Account at an exchange to the miner that confirmed it as its own."""
REPORTS: Final = Table[int]("production_reports", int)
"""Pool to the number of its last report."""
LOTS: Final = Table[ProductionLot]("production_lots", ProductionLot)
PAYOUTS: Final = Table[str]("payouts", str)
"""Outpoint of a payout to the lot it made, for ever."""
ATTESTATIONS: Final = Table[Attestation]("attestations", Attestation)
WITHDRAWN: Final = Table[int]("withdrawn", int)
"""Asset to all of it that was ever withdrawn from custody, modulo 2^53."""
CUSTODY_REFERENCES: Final = Table[str]("custody_references", str)
"""``<exchange>/deposit/<reference>`` or ``<exchange>/withdrawal/<reference>`` to the transaction that used it."""
TARIFFS: Final = Table[Tariff]("tariffs", Tariff)
TRADES: Final = Table[str]("trades", str)
"""``<exchange>/<trade>`` to the transaction that settled it."""
MANDATES_USED: Final = Table[int]("mandates_used", int)
"""Digest of a mandate to what was debited under it so far."""
MANDATES_CANCELLED: Final = Table[str]("mandates_cancelled", str)
"""``<digest of the mandate>/<kid>`` to the transaction in which that key took it back."""
CLAIMS: Final = Table[QuotaClaim]("quota_claims", QuotaClaim)
