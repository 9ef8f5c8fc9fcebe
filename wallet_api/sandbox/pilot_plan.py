"""The pilot day as data: who takes part, what is mined and sold on which date, and what must come out.

The quota table at the end was worked out by hand from the rules of `settlement.quota`; the pilot compares it with what
the node answers. Quantities are satoshi, money is tiyn, dates are local dates in Kazakhstan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ledger.model.participants import Role
from wallet_api.sandbox.network import FOUNDERS, MemberPlan

TENGE_TIYN: Final = 100
"""Tiyn in a tenge."""

BTC: Final = 100_000_000
"""Satoshi in a bitcoin."""

BANKS: Final = (
    MemberPlan("bank-a", "Bank A", Role.INTERMEDIARY, "601"),
    MemberPlan("bank-b", "Bank B", Role.INTERMEDIARY, "602"),
    MemberPlan("bank-c", "Bank C", Role.INTERMEDIARY, "603"),
)
EXCHANGES: Final = (
    MemberPlan("exchange-one", "Exchange One", Role.EXCHANGE, "701", quorum=2, signatories=3),
    MemberPlan("exchange-two", "Exchange Two", Role.EXCHANGE, "702", quorum=2, signatories=3),
)
POOLS: Final = (
    MemberPlan("pool-one", "Pool One", Role.POOL, "801"),
    MemberPlan("pool-two", "Pool Two", Role.POOL, "802"),
)
MINERS: Final = (
    MemberPlan("miner-one", "Miner One", Role.MINER, "901"),
    MemberPlan("miner-two", "Miner Two", Role.MINER, "902"),
    MemberPlan("miner-three", "Miner Three", Role.MINER, "903"),
    MemberPlan("miner-four", "Miner Four", Role.MINER, "904"),
    MemberPlan("miner-five", "Miner Five", Role.MINER, "905"),
)
UTILITIES: Final = (MemberPlan("system-operator", "System Operator", Role.UTILITY, "501"),)
WATCHERS: Final = (
    MemberPlan("supervisor", "Supervisor", Role.SUPERVISOR, "301"),
    MemberPlan("auditor", "Auditor", Role.AUDITOR, "302"),
)
ADMITTED: Final = (*BANKS, *EXCHANGES, *POOLS, *MINERS, *UTILITIES, *WATCHERS)
"""Those whom the operator admits on the first morning."""

EVERYONE: Final = (*FOUNDERS, *ADMITTED)
"""All institutions of the pilot."""


def btc_text(satoshi: int) -> str:
    """Return a quantity as people read it, exactly: integers only."""
    return f"{satoshi // BTC}.{satoshi % BTC:08d}".rstrip("0").rstrip(".")


def tenge_text(tiyn: int) -> str:
    """Return an amount as people read it, exactly: integers only."""
    return f"{tiyn // TENGE_TIYN:,}.{tiyn % TENGE_TIYN:02d}"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of the retail part is played."""

    wallets: int = 2_000
    payments: int = 2_000
    threads: int = 12
    """Client threads that pay at the same time, over all banks."""


ISSUED_TIYN: Final = {"bank-a": 3_000_000_000 * TENGE_TIYN, "bank-b": 2_000_000_000 * TENGE_TIYN}
"""Five billion tenge on two requests."""

TO_BANK_C_TIYN: Final = 1_500_000_000 * TENGE_TIYN
"""What Bank C buys of its digital tenge from Bank A."""

WALLET_TIYN: Final = 100_000 * TENGE_TIYN
"""What each wallet is funded with."""

PAYMENT_TIYN: Final = 1_250 * TENGE_TIYN
"""Amount of a single payment between wallets."""

REDEEMED_TIYN: Final = 500_000_000 * TENGE_TIYN
"""What Bank B redeems on the last day."""

FEE_PPM: Final = 1_000
"""Fee the exchanges post, in parts per million: a tenth of a per cent."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Someone who buys coins: a wallet at a bank, and accounts at an exchange."""

    holder: str
    bank: str
    exchange: str
    funds_tiyn: int


BUYERS: Final = (
    Buyer("buyer-1", "bank-a", "exchange-one", 400_000_000 * TENGE_TIYN),
    Buyer("buyer-2", "bank-b", "exchange-one", 100_000_000 * TENGE_TIYN),
    Buyer("buyer-3", "bank-c", "exchange-two", 600_000_000 * TENGE_TIYN),
    Buyer("buyer-4", "bank-c", "exchange-two", 1_000_000 * TENGE_TIYN),
    Buyer("buyer-5", "bank-c", "exchange-one", 60_000_000 * TENGE_TIYN),
)


@dataclass(frozen=True, slots=True)
class MinerPlan:
    """A miner's licence, its pool and the exchange it sells at."""

    miner: str
    pool: str
    exchange: str
    bin: str
    licence: str
    issued: str
    expires: str | None
    """First local date without a licence, where that comes before three years are over."""
    subtype: Literal[1, 2]


REGISTERED_SINGLY: Final = (
    MinerPlan("miner-one", "pool-one", "exchange-one", "230140000021", "KZ-DM-0001", "2023-04-17", None, 1),
    MinerPlan("miner-two", "pool-one", "exchange-one", "230240000023", "KZ-DM-0002", "2023-05-22", None, 2),
    MinerPlan("miner-three", "pool-two", "exchange-two", "230340000037", "KZ-DM-0003", "2023-06-05", "2025-01-02", 1),
    MinerPlan("miner-four", "pool-two", "exchange-two", "230440000040", "KZ-DM-0004", "2023-07-03", None, 2),
)
"""Miners that the supervisor registers one by one."""

MINER_FIVE: Final = MinerPlan(
    "miner-five", "pool-two", "exchange-one", "230540000054", "KZ-DM-0005", "2023-08-14", None, 1
)
"""The miner that comes with a register file, and sells by instruction."""

MINER_PLANS: Final = (*REGISTERED_SINGLY, MINER_FIVE)

DATES: Final = (
    "2024-12-28",
    "2024-12-29",
    "2024-12-30",
    "2024-12-31",
    "2025-01-01",
    "2025-01-02",
    "2025-01-03",
    "2025-01-04",
)
"""Business dates of the pilot; the share of the quota changes from 50 to 75 per cent with the fifth."""

DATE_AFTER: Final = "2025-01-05"
"""The business date that the last day close opens."""

PRODUCTION: Final[Mapping[str, Mapping[str, int]]] = {
    "miner-one": dict.fromkeys(DATES[:7], BTC),
    "miner-two": dict.fromkeys(DATES[:7], BTC // 2),
    # The last lot is distributed on the first day without a licence.
    "miner-three": dict.fromkeys(DATES[:6], 40_000_000),
    "miner-four": dict.fromkeys(DATES[2:5], 33_333_333),
    "miner-five": dict.fromkeys(DATES[5:7], BTC),
}
"""What the pools distribute, by miner and date."""

MISREPORTED: Final[Mapping[tuple[str, str], int]] = {("miner-five", DATES[5]): 120_000_000}
"""What a pool reports by mistake, by miner and date, and corrects the day after."""

ATTESTED: Final = {"exchange-one": 1_250_000_000, "exchange-two": 340_000_000}
"""Coins the auditor saw: all that is produced at the first, one satoshi more than that at the second."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale of a miner's coins at the reference price of its date."""

    trade: str
    date: str
    miner: str
    buyer: str
    quantity: int
    refused: str | None = None
    """The refusal it must meet; None if it settles."""
    is_sent_twice: bool = False


SALES: Final = (
    Sale("T-0001", "2024-12-29", "miner-one", "buyer-1", 2 * BTC),
    Sale("T-0002", "2024-12-30", "miner-two", "buyer-2", 60_000_000),
    Sale("T-0003", "2024-12-31", "miner-one", "buyer-1", BTC, is_sent_twice=True),
    Sale("T-0004", "2024-12-31", "miner-three", "buyer-3", 90_000_000),
    Sale("T-0005", "2025-01-01", "miner-three", "buyer-3", 30_000_000),
    Sale("T-0006", "2025-01-02", "miner-one", "buyer-1", 150_000_000),
    Sale("T-0007", "2025-01-02", "miner-three", "buyer-3", 20_000_000, refused="miner_licence_invalid"),
    Sale("T-0008", "2025-01-03", "miner-two", "buyer-2", 50_000_000),
    Sale("T-0009", "2025-01-03", "miner-four", "buyer-4", 30_000_000, refused="insufficient_funds"),
    Sale("T-0010", "2025-01-03", "miner-four", "buyer-3", 50_000_000),
    Sale("T-0011", "2025-01-04", "miner-one", "buyer-2", 15_000_000),
    Sale("T-0012", "2025-01-04", "miner-one", "buyer-1", 60_000_000),
)
"""In order of execution."""


@dataclass(frozen=True, slots=True)
class QuotaResult:
    """Where a miner must stand at the end, in satoshi."""

    produced: int
    unlicensed: int
    obligation: int
    counted_obligation: int
    counted: int
    shortfall: int
    sold: int
    corrected: int = 0
    disqualified: int = 0


EXPECTED_QUOTA: Final[Mapping[str, QuotaResult]] = {
    # Duty 4 x 0.5 + 3 x 0.75 = 4.25. T-0001 meets 28 and 29 December and sells their rest, T-0003 meets 30 and 31,
    # T-0006 meets 1 and 2 January, T-0011 and T-0012 together 0.75 meet 3 January.
    "miner-one": QuotaResult(700_000_000, 0, 425_000_000, 425_000_000, 525_000_000, 0, 525_000_000),
    # Duty 4 x 0.25 + 3 x 0.375 = 2.125. T-0002 fills 28, 29 and 0.1 of 30 December; T-0008 the 0.15 left of it,
    # 31 December and 0.1 of 1 January. Short: 0.275 + 0.375 + 0.375.
    "miner-two": QuotaResult(350_000_000, 0, 212_500_000, 110_000_000, 110_000_000, 102_500_000, 110_000_000),
    # Duty 4 x 0.2 + 0.3 = 1.1; the lot of 2 January is unlicensed. T-0004 fills the duty of 2024 and 0.1 of the rest
    # of 28 December, T-0005 that of 1 January.
    "miner-three": QuotaResult(200_000_000, 40_000_000, 110_000_000, 110_000_000, 120_000_000, 0, 120_000_000),
    # Half of 33,333,333 is rounded up to 16,666,667, three quarters to 25,000,000: 58,333,334. T-0010 fills the two
    # lots of 2024 and 16,666,666 of the third.
    "miner-four": QuotaResult(99_999_999, 0, 58_333_334, 50_000_000, 50_000_000, 8_333_334, 50_000_000),
    # Duty 2 x 0.75 = 1.5; the 1.2 reported by mistake was taken back. I-0001 settled 0.5 of 0.8, half of the 0.2 of
    # I-0002 was moved back, the 0.1 of I-0003 is disqualified: 0.6 counts, all of it on the first duty. Sold: 0.7.
    "miner-five": QuotaResult(
        200_000_000, 0, 150_000_000, 60_000_000, 60_000_000, 90_000_000, 70_000_000, 120_000_000, 10_000_000
    ),
}
"""Worked out by hand; the pilot fails if the node says otherwise."""
