"""A market as one would write it on an afternoon: dicts and names; it knows nothing of `settlement.rules`.

It reads the same transactions as JSON; `market_decisions` has the rules kind by kind and says how each must end.
"""

import base64
import datetime
import json
from typing import Any

from tests.machine.naive import DAY_US, Json

MILLION = 1_000_000
AMOUNT_LIMIT = 10**15
COIN = 10**8
CLIENTS = {"client_segregated", "miner_proceeds", "affiliate_client"}
BUYERS = CLIENTS - {"miner_proceeds"}
HISTORY_LIMIT = 64
HOUSE = {"house", "fee", "own"}
FOREVER = 10**18


class No(Exception):
    """A rule, or the door before the rules, says no."""


def demand(holds: bool, code: str) -> None:
    if not holds:
        raise No(code)


def local_date(us: int) -> str:
    """Kazakhstan, five hours ahead since March 2024."""
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=us, hours=5)
    return moment.date().isoformat()


def spread(text: str) -> Any:
    """JSON behind base64url."""
    return json.loads(base64.urlsafe_b64decode(text + "=="))


class History:
    """Status over time: coats of paint, of which the last one shows."""

    def __init__(self, from_us: int, until_us: int = FOREVER) -> None:
        self.coats = [(from_us, until_us, "active")]

    def at(self, us: int) -> str:
        """The status at a moment; empty where there is none."""
        return next((status for start, end, status in reversed(self.coats) if start <= us < end), "")

    def paint(self, start: int, end: int | None, status: str) -> None:
        """Change the status inside one stretch."""
        demand(end is None or end > start, "interval_empty")
        seams = {seam for coat in self.coats for seam in coat[:2]}
        if end is None:
            end = min((seam for seam in seams if seam > start), default=FOREVER)
        is_inside = not any(start < seam < end for seam in seams)
        demand(is_inside and self.at(start) not in ("", "revoked", status), "status_not_changeable")
        demand(len(seams | {start, end}) - 1 <= HISTORY_LIMIT, "history_too_long")
        self.coats.append((start, end, status))


class NaiveMarket:
    """One exchange, its clients, a pool and a miner."""

    def __init__(self, accounts: dict[str, Json], balances: dict[str, int], time_us: int, observed_us: int) -> None:
        self.accounts = accounts
        self.balances = balances
        self.time_us = time_us
        self.date = "2024-12-27"
        self.attested = 100 * COIN
        self.observed_us = observed_us
        self.withdrawn = 0
        self.tariff = [("", 0), ("2024-12-25", 2_000)]
        self.registers: dict[str, dict[str, History]] = {
            "exchange": {"aix-one": History(time_us - 366 * DAY_US)},
            "pool": {"pool-one": History(time_us - 366 * DAY_US)},
            # From midnight in Kazakhstan on 1 June 2023, six hours ahead then, to that of 2026, five hours ahead.
            "licence": {"L-1": History(1_685_556_000_000_000, 1_780_254_000_000_000)},
        }
        self.custody: set[tuple[str, str]] = set()
        self.trades: set[str] = set()
        self.used: dict[str, int] = {}
        self.maximum: dict[str, int] = {}
        self.cancelled: set[tuple[str, str]] = set()
        self.reports = 0
        self.payouts: set[str] = set()
        self.lots: list[Json] = []
        self.claims: list[Json] = []

    def move(self, sender: str, legs: list[tuple[str, str, int]], *, may_issue: bool = False) -> dict[str, int]:
        """The balances after debits (below zero) and credits (above), which all must be possible."""
        after = dict(self.balances)
        for account, asset, amount in sorted(legs, key=lambda leg: leg[2] > 0):
            side = "debit" if amount < 0 else "credit"
            found = self.accounts.get(account)
            if found is None:
                raise No(f"{side}_account_not_found")
            is_contra = found["class"] == "contra"
            demand(side == "credit" or is_contra or found["owner"] == sender, "debit_account_not_found")
            demand(not is_contra or may_issue, "contra_account_reserved")
            demand(found["asset"] == asset, "account_asset_differs")
            after[account] = after.get(account, 0) + (-amount if is_contra else amount)
        demand(min(after.values()) >= 0, "insufficient_funds")
        return after

    def is_active(self, register: str, subject: str, *moments: int) -> bool:
        return all(self.registers[register][subject].at(moment) == "active" for moment in moments)

    def fee_ppm(self) -> int:
        return [ppm for date, ppm in self.tariff if date <= self.date][-1]

    def owed(self) -> int:
        """Coins the exchange owes."""
        return sum(
            balance
            for account, balance in self.balances.items()
            if self.accounts[account]["asset"] != "KZT" and self.accounts[account]["class"] != "contra"
        )

    def quota(self, as_of: str) -> Json:
        """Where the miner stands: obligations first, oldest first, then the rest."""
        lots = sorted(
            (lot for lot in self.lots if lot["date"] <= as_of),
            key=lambda lot: (lot["date"], lot["distributed_us"], lot["key"]),
        )
        open_lots = [lot for lot in lots if lot["licensed"]]
        due = {lot["key"]: lot["due"] for lot in open_lots}
        rest = {lot["key"]: lot["quantity"] - lot["due"] for lot in open_lots}
        sold = unmatched = 0
        for claim in sorted(self.claims, key=lambda claim: (claim["executed_us"], claim["key"])):
            if claim["date"] > as_of:
                continue
            left = claim["quantity"]
            sold += left
            for purse in (due, rest):
                for lot in open_lots:
                    if lot["date"] <= claim["date"]:
                        part = min(left, purse[lot["key"]])
                        purse[lot["key"]] -= part
                        left -= part
            unmatched += left
        return {
            "produced": sum(lot["quantity"] for lot in open_lots),
            "unlicensed": sum(lot["quantity"] for lot in lots if not lot["licensed"]),
            "obligation": sum(lot["due"] for lot in open_lots),
            "counted": sold - unmatched,
            "shortfall": sum(due.values()),
            "sold": sold,
            "unmatched": unmatched,
        }
