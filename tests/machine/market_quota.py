"""A miner's quota from a recount of the log, counted the plain way: every sale walks over every lot, twice."""

from typing import Any

from tests.machine.market_recount import Recount
from tests.machine.naive import Json
from tests.machine.naive_market import local_date

FIRST_RATES: list[Json] = [
    {"valid_from": "2024-01-01", "valid_until": "2025-01-01", "share_numerator": 1, "share_denominator": 2},
    {"valid_from": "2025-01-01", "share_numerator": 3, "share_denominator": 4},
]
"""Those that come with the package."""


def rate_on(log: Recount, date: str) -> Json | None:
    """The rate that was set last of those that begin by then; unless it, too, has ended."""
    begun = [rate for rate in (*FIRST_RATES, *log.rates) if rate["valid_from"] <= date]
    if not begun:
        return None
    # A rate set later ends all before it on its first date, whatever they said.
    last = begun[-1]
    until = last.get("valid_until")
    return last if until is None or date < until else None


def duty(log: Recount, lot: Json) -> int | None:
    """What must be sold of a lot; None where it has no part in the quota."""
    rate = rate_on(log, lot["date"])
    if rate is None or lot["subtype"] not in rate.get("subtypes", (1, 2)):
        return None
    whole, part = divmod(lot["quantity"] * rate["share_numerator"], rate["share_denominator"])
    return int(whole) + bool(part)


def standing(log: Recount, key: str, claim: Json) -> str:
    """What becomes of a claim before lots are looked at."""
    if log.undone.get(key, 0) == claim["quantity"]:
        return "reversed"
    decisions = log.decisions.get(key, [])
    open_flags = log.flags.get(key, [])[decisions[-1]["flags"] if decisions else 0 :]
    if (decisions and decisions[-1]["verdict"] == "disqualify") or "self_trade" in open_flags:
        return "disqualified"
    was, final = claim["executed_us"], claim["settled_us"]
    is_suspended = log.is_active("exchange", claim["exchange"], was) and not log.is_active(
        "exchange", claim["exchange"], final
    )
    return "held" if open_flags or (is_suspended and not decisions) else "counts"


def recomputed(log: Recount, miner: str, coin: str, as_of: str) -> dict[str, Any]:
    """The sums of a miner's statement."""
    ours = sorted(
        ((key, lot) for key, lot in log.lots.items() if (lot["miner"], lot["coin"]) == (miner, coin)),
        key=lambda item: (item[1]["date"], item[1]["distributed_us"], item[0]),
    )
    lots = [(key, lot) for key, lot in ours if lot["date"] <= as_of]
    open_lots = {key: lot for key, lot in lots if lot["state"] == "open" and duty(log, lot) is not None}
    due = {key: duty(log, lot) or 0 for key, lot in open_lots.items()}
    rest = {key: lot["quantity"] - due[key] for key, lot in open_lots.items()}
    sums = {"sold": 0, "unmatched": 0, "held": 0, "disqualified": 0, "counted": 0, "counted_obligation": 0}
    for key, claim in sorted(log.claims.items(), key=lambda item: (item[1]["executed_us"], item[0])):
        if (claim["miner"], claim["coin"]) != (miner, coin) or claim["date"] > as_of:
            continue
        left = claim["quantity"] - log.undone.get(key, 0)
        state = standing(log, key, claim)
        sums["sold"] += left
        if state != "counts":
            if state in sums:
                sums[state] += left
            continue
        for purse in (due, rest):
            for name, lot in open_lots.items():
                if lot["date"] <= claim["date"]:
                    part = min(left, purse[name])
                    purse[name] -= part
                    left -= part
                    sums["counted"] += part
                    sums["counted_obligation"] += part if purse is due else 0
        sums["unmatched"] += left
    return sums | {
        "produced": sum(lot["quantity"] for lot in open_lots.values()),
        "unlicensed": sum(lot["quantity"] for _, lot in lots if lot["state"] == "unlicensed"),
        "corrected": sum(lot["quantity"] for _, lot in lots if lot["state"] == "corrected"),
        "out_of_scope": sum(lot["quantity"] for key, lot in lots if lot["state"] == "open" and key not in open_lots),
        "obligation": sum(duty(log, lot) or 0 for lot in open_lots.values()),
        "shortfall": sum(due.values()),
        "pending": _pending(log, miner, coin, as_of),
    }


def _pending(log: Recount, miner: str, coin: str, as_of: str) -> int:
    """Instructed by the miner's side, and neither settled nor ended."""
    terms = [log.sides[trade].get("seller") for trade in log.open]
    return sum(
        each["quantity"]
        for each in terms
        if each is not None
        and each["coin"] == coin
        and log.miner_of.get(each["seller_coin"]) == miner
        and _executed_on(each) <= as_of
    )


def _executed_on(terms: Json) -> str:
    return local_date(terms["executed_us"])
