"""State tables of settlement."""

from typing import Final

from ledger.state import Table
from ledger.units import AccountId
from settlement.model.authorities import AuthorityHistory
from settlement.model.claims import AttestedSale, ClaimDecision, ClaimFlag, PublishedStatement
from settlement.model.custody import Attestation, Tariff, TariffNotice
from settlement.model.energy import EnergyTotals, LastReading, Payee, Reading, SurplusOffer, Utility
from settlement.model.instructions import OPEN_STATUSES, CutOff, Fail, Instruction, Reversal, RunOff
from settlement.model.levy_regimes import LevyRegime
from settlement.model.levy_statement import LevyPaid
from settlement.model.parties import Exposure, Party, Relation
from settlement.model.price_limits import DatedPriceLimit
from settlement.model.prices import DayException, PriceReference, SupersededPrice
from settlement.model.production import ProductionLot
from settlement.model.purposes import CourtOrder
from settlement.model.quota_policies import FlagPolicy, RatePolicy
from settlement.model.reconciliation import Cut, Liabilities, Reconciliation, Requirement
from settlement.model.registers import Coin, Exchange, Licence, ListedCoin, Miner, Permission, Pool
from settlement.model.sites import Meter, Site
from settlement.model.trades import QuotaClaim
from settlement.model.winddown import WindDown


def _miner(row: ProductionLot | QuotaClaim | AttestedSale) -> str:
    return row.miner


def _open_seller_coin(instruction: Instruction) -> str | None:
    side = instruction.seller
    return None if side is None or instruction.status not in OPEN_STATUSES else side.terms.seller_coin


EXCHANGES: Final = Table[Exchange]("exchanges", Exchange)
POOLS: Final = Table[Pool]("pools", Pool)
MINERS: Final = Table[Miner]("miners", Miner)
BINS: Final = Table[str]("bins", str)
"""BIN to miner: a BIN is registered once."""
LICENCES: Final = Table[Licence]("licences", Licence)
MINER_LICENCES: Final = Table[tuple[str, ...]]("miner_licences", tuple[str, ...])
"""Miner to the numbers of its licences."""
COINS: Final = Table[Coin]("coins", Coin)
MINER_ACCOUNTS: Final = Table[str]("miner_accounts", str, group=str)
"""Account at an exchange to the miner that confirmed it as its own; by miner."""
REPORTS: Final = Table[int]("production_reports", int)
"""Pool to the number of its last report."""
LOTS: Final = Table[ProductionLot]("production_lots", ProductionLot, group=_miner)
"""``<pool>/<report>/<row>`` to what was produced; by miner."""
PAYOUTS: Final = Table[str]("payouts", str)
"""Outpoint of a payout to the lot it made, for ever."""
ATTESTATIONS: Final = Table[Attestation]("attestations", Attestation)
WITHDRAWN: Final = Table[int]("withdrawn", int)
"""Asset to all of it that was ever withdrawn from custody, modulo 2^53."""
CUSTODY_REFERENCES: Final = Table[str]("custody_references", str)
"""``<exchange>/deposit/<reference>`` or ``<exchange>/withdrawal/<reference>`` to the transaction that used it."""
TARIFFS: Final = Table[Tariff]("tariffs", Tariff)
TRADES: Final = Table[str]("trades", str)
"""``<exchange>/<trade>`` to the transaction that settled it or, until then, that instructed it first."""
MANDATES_USED: Final = Table[int]("mandates_used", int)
"""Digest of a mandate to what was debited under it so far."""
MANDATES_CANCELLED: Final = Table[str]("mandates_cancelled", str)
"""``<digest of the mandate>/<kid>`` to the transaction in which that key took it back."""
CLAIMS: Final = Table[QuotaClaim]("quota_claims", QuotaClaim, group=_miner)
"""``<exchange>/<trade>`` to a settled sale of mined coins; by miner."""
INSTRUCTIONS: Final = Table[Instruction]("instructions", Instruction, group=_open_seller_coin)
"""``<exchange>/<trade>`` to a sale that is to settle, and what came of it; those still open by the account that gives
the coins."""
RESERVED: Final = Table[int]("reserved", int)
"""Account to what is set aside of its balance for instructed sales."""
FAILS: Final = Table[Fail]("settlement_fails", Fail)
REVERSALS: Final = Table[Reversal]("reversals", Reversal)
PRICE_LIMITS: Final = Table[DatedPriceLimit]("price_limits", DatedPriceLimit)
CUT_OFFS: Final = Table[CutOff]("cut_offs", CutOff)
RUN_OFFS: Final = Table[RunOff]("run_offs", RunOff)
TAX_ACCOUNTS: Final = Table[str]("tax_accounts", str)
"""Account of class tax_escrow to the supervisor that confirmed whose it is."""

PARTIES: Final = Table[Party]("parties", Party)
"""Groups, legal entities and persons that are no participants."""
RELATED: Final = Table[tuple[Relation, ...]]("related", tuple[Relation, ...])
"""Party to what others are to it: its groups, owners, controllers, boards."""
EXPOSURES: Final = Table[tuple[Exposure, ...]]("exposures", tuple[Exposure, ...])
"""Party to its terms in public offices."""
SITES: Final = Table[Site]("sites", Site)
METERS: Final = Table[Meter]("meters", Meter)
PERMISSIONS: Final = Table[Permission]("permissions", Permission)
EXCHANGE_PERMISSIONS: Final = Table[tuple[str, ...]]("exchange_permissions", tuple[str, ...])
"""Exchange to the numbers of its permissions."""
PRICE_LIST: Final = Table[ListedCoin]("price_list", ListedCoin)
PRICES: Final = Table[PriceReference]("prices", PriceReference)
"""``<coin>/<date>`` to the published price of that working day."""
PRICE_HISTORY: Final = Table[tuple[SupersededPrice, ...]]("price_history", tuple[SupersededPrice, ...])
"""``<coin>/<date>`` to the prices that were corrected, oldest first."""
PRICED_DATES: Final = Table[int]("priced_dates", int)
"""Date to how many prices were published for it."""
DAY_EXCEPTIONS: Final = Table[DayException]("day_exceptions", DayException)
"""Date to what sets it apart from its day of the week."""
CORRECTIONS: Final = Table[int]("production_corrections", int)
"""Pool to the number of its last correction."""
LOT_VERSIONS: Final = Table[int]("lot_versions", int)
"""``<pool>/<report>/<row>`` to the version of its lot that stands, for rows that were corrected."""
UTILITIES: Final = Table[Utility]("utilities", Utility)
PAYEES: Final = Table[Payee]("payees", Payee)
"""Account to the body of the state whose it is."""
SURPLUS: Final = Table[SurplusOffer]("surplus", SurplusOffer)
"""``<zone>/<date>`` to the energy that is offered."""
SURPLUS_SOLD: Final = Table[int]("surplus_sold", int)
"""``<zone>/<date>/<hour>`` to what was bought of it, in kWh."""
SURPLUS_BOUGHT: Final = Table[int]("surplus_bought", int)
"""``<miner>/<quarter>`` to the surplus it bought for hours of that quarter, in kWh."""
READINGS: Final = Table[Reading]("readings", Reading)
LAST_READINGS: Final = Table[LastReading]("last_readings", LastReading)
ENERGY: Final = Table[EnergyTotals]("energy", EnergyTotals)
"""``<miner>/<quarter>`` to what its readings come to."""
LEVY_REGIMES: Final = Table[tuple[LevyRegime, ...]]("levy_regimes", tuple[LevyRegime, ...])
LEVY_PAID: Final = Table[LevyPaid]("levy_paid", LevyPaid)
REQUIREMENTS: Final = Table[Requirement]("reconciliation_requirements", Requirement)
"""Exchange to the order under which it reconciles daily."""
LISTED: Final = Table[str]("listed_accounts", str)
"""Tenge account of a client to the row of ``LISTED_PAGES`` that has it."""
LISTED_PAGES: Final = Table[tuple[AccountId, ...]]("listed_account_pages", tuple[AccountId, ...])
"""``<exchange>/<page>`` to the accounts listed there, so that a cut reads a thousand at a time."""
CUTS: Final = Table[Cut]("reconciliation_cuts", Cut)
RECONCILIATIONS: Final = Table[Reconciliation]("reconciliations", Reconciliation)
LIABILITIES: Final = Table[Liabilities]("published_liabilities", Liabilities)
RATE_POLICY_HISTORY: Final = Table[tuple[RatePolicy, ...]]("quota_policies", tuple[RatePolicy, ...])
"""The rates in the order in which they were set, those of the package first; no row: the package's hold."""
FLAG_POLICY_HISTORY: Final = Table[tuple[FlagPolicy, ...]]("flag_policies", tuple[FlagPolicy, ...])
"""The same of what makes a sale suspect."""
QUOTA_FLAGS: Final = Table[tuple[ClaimFlag, ...]]("quota_flags", tuple[ClaimFlag, ...])
"""Claim to its flags, oldest first."""
CLAIM_DECISIONS: Final = Table[tuple[ClaimDecision, ...]]("claim_decisions", tuple[ClaimDecision, ...])
"""Claim to the decisions on it, oldest first; the last one stands."""
ATTESTED_SALES: Final = Table[AttestedSale]("attested_sales", AttestedSale, group=_miner)
"""``<exchange>/<trade>`` to a sale that was paid for elsewhere; by miner."""
ATTESTED_LEGS: Final = Table[tuple[str, str]]("attested_legs", tuple[str, str])
"""Attested sale to the payment and the lock it named."""
CASH_LEGS: Final = Table[str]("cash_legs", str)
"""Payment to the claim behind which it stands: a transaction of this ledger, or ``bank/`` and the bank's reference."""
ASSET_LOCKS: Final = Table[str]("asset_locks", str)
"""Lock of coins to the claim behind which it stands."""
PUBLISHED_STATEMENTS: Final = Table[PublishedStatement]("published_quota_statements", PublishedStatement)
AUTHORITIES: Final = Table[AuthorityHistory]("authorities", AuthorityHistory)
"""Participant to which bodies of the state it was and is."""
TARIFF_NOTICE: Final = Table[TariffNotice]("tariff_notice", TariffNotice)
COURT_ORDERS: Final = Table[CourtOrder]("court_orders", CourtOrder)
"""``<account>/<order>`` to what the order takes from it."""
WIND_DOWNS: Final = Table[WindDown]("wind_downs", WindDown)
WINDDOWN_PAID: Final = Table[int]("winddown_paid", int)
"""Account to what was paid from it in wind-downs, in tiyn."""
