"""A market as one would write it on an afternoon: dicts and names; it knows nothing of `settlement.rules`.

It reads the same transactions as JSON and says how each must end.
"""

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any

from tests.machine.naive import DAY_US, Json

MILLION = 1_000_000
AMOUNT_LIMIT = 10**15
COIN = 10**8
CLIENTS = {"client_segregated", "miner_proceeds", "affiliate_client"}
BUYERS = CLIENTS - {"miner_proceeds"}
HOUSE = {"house", "fee", "own"}
FOREVER = 10**18


class No(Exception):
    """A rule, or the door before the rules, says no."""


def demand(holds: bool, code: str) -> None:
    if not holds:
        raise No(code)


def local_date(us: int) -> str:
    """Kazakhstan, five hours ahead since March 2024."""
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us, hours=5)
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
        self.coats.append((start, end, status))


class NaiveMarket:
    """One exchange, its clients, a pool and a miner."""

    def __init__(self, accounts: dict[str, Json], balances: dict[str, int], time_us: int) -> None:
        self.accounts = accounts
        self.balances = balances
        self.time_us = time_us
        self.date = "2024-12-27"
        self.attested = 100 * COIN
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
        self.cancelled: set[str] = set()
        self.reports = 0
        self.payouts: set[str] = set()
        self.lots: list[Json] = []
        self.claims: list[Json] = []

    def expect(self, transaction: Json, signers: set[str], at_us: int) -> str:
        """Say how a submission must end, and let the market do it; signers are key ids."""
        self.time_us = at_us
        try:
            DECISIONS[transaction["kind"]](self, transaction["participant"], transaction["body"], signers)
        except No as no:
            return str(no)
        return "accepted"

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
            (lot for lot in self.lots if lot["date"] <= as_of), key=lambda lot: (lot["distributed_us"], lot["key"])
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


def consented(market: NaiveMarket, sender: str, account: str, signers: set[str]) -> None:
    """The holder of a bound account of the sender signed."""
    found = market.accounts.get(account)
    if found is not None and found["owner"] == sender and found["key"] is not None:
        demand(found["key"] in signers, "signatures_insufficient")


def is_client(market: NaiveMarket, account: str) -> bool:
    return market.accounts[account]["class"] in CLIENTS


# --- money --------------------------------------------------------------------------------------------------


def transfer(market: NaiveMarket, sender: str, body: Json, signers: set[str]) -> None:
    consented(market, sender, body["debit"], signers)
    demand(body["debit"] != body["credit"], "accounts_must_differ")
    after = market.move(
        sender, [(body["debit"], body["asset"], -body["amount"]), (body["credit"], body["asset"], body["amount"])]
    )
    if is_client(market, body["debit"]):
        to = market.accounts[body["credit"]]["class"]
        demand(to not in HOUSE, "client_money_to_house")
        demand(to != "affiliate_client", "client_money_to_affiliate")
        raise No("client_money_purpose")
    market.balances = after


def journal_entry(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    legs = [
        (leg["account"], leg["asset"], leg["amount"] * (-1) ** (leg["side"] == "debit")) for leg in body["postings"]
    ]
    for account, _, amount in legs:
        if amount < 0 and market.accounts[account]["owner"] == sender:
            demand(not is_client(market, account), "client_account_needs_own_kind")
    market.balances = market.move(sender, legs)


def client_return(market: NaiveMarket, sender: str, body: Json, signers: set[str]) -> None:
    consented(market, sender, body["account"], signers)
    account, wallet = market.accounts[body["account"]], market.accounts[body["credit"]]
    is_fit = account["owner"] == sender and account["asset"] == "KZT" and is_client(market, body["account"])
    demand(is_fit and (wallet["class"], wallet["asset"]) == ("wallet", "KZT"), "return_account_unfit")
    demand(wallet["holder"] == body["holder"], "return_holder_differs")
    after = market.move(sender, [(body["account"], "KZT", -body["amount"]), (body["credit"], "KZT", body["amount"])])
    demand(account["key"] is not None, "client_account_unbound")
    market.balances = after


# --- coins --------------------------------------------------------------------------------------------------


def contra_of(market: NaiveMarket) -> str:
    return next(
        name for name, account in market.accounts.items() if account["class"] == "contra" and account["asset"] != "KZT"
    )


def custody_account(market: NaiveMarket, sender: str, body: Json, code: str) -> str:
    account = market.accounts.get(body["account"])
    if account is None or account["owner"] != sender:
        raise No("custody_account_unknown")
    demand(account["asset"] == f"BTC:{sender}", "coin_not_admitted")
    demand(is_client(market, body["account"]), code)
    return str(account["asset"])


def custody_credit(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    demand(market.is_active("exchange", sender, market.time_us), "venue_licence_invalid")
    asset = custody_account(market, sender, body, "custody_to_house")
    demand(("deposit", body["deposit"]) not in market.custody, "deposit_reused")
    demand(market.owed() + body["amount"] <= market.attested, "reserve_exceeded")
    legs = [(contra_of(market), asset, -body["amount"]), (body["account"], asset, body["amount"])]
    market.balances = market.move(sender, legs, may_issue=True)
    market.custody.add(("deposit", body["deposit"]))


def custody_debit(market: NaiveMarket, sender: str, body: Json, signers: set[str]) -> None:
    consented(market, sender, body["account"], signers)
    asset = custody_account(market, sender, body, "custody_from_house")
    demand(("withdrawal", body["withdrawal"]) not in market.custody, "withdrawal_reused")
    legs = [(body["account"], asset, -body["amount"]), (contra_of(market), asset, body["amount"])]
    market.balances = market.move(sender, legs, may_issue=True)
    market.custody.add(("withdrawal", body["withdrawal"]))
    market.attested = max(0, market.attested - body["amount"])


def reserve_attest(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    demand(body["asset"] == f"BTC:{sender}", "coin_not_admitted")
    market.attested = body["quantity"]


# --- sales --------------------------------------------------------------------------------------------------


def dvp_settle(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    executed = body["executed_us"]
    demand(executed <= market.time_us, "execution_in_future")
    demand(market.is_active("exchange", sender, executed, market.time_us), "venue_licence_invalid")
    demand(body["coin"] == "BTC", "coin_not_admitted")
    demand(body["trade"] not in market.trades, "trade_repeated")
    check_parties(market, sender, body)
    amount = body["quantity"] * body["price"] // COIN
    demand(1 <= amount <= AMOUNT_LIMIT, "trade_amount_out_of_range")
    sell = check_mandate(market, body, "sell", body["quantity"], amount)
    buy = check_mandate(market, body, "buy", body["quantity"], amount)
    is_mined = market.accounts[body["seller_coin"]]["class"] == "miner_proceeds"
    demand(not is_mined or market.is_active("licence", "L-1", executed), "miner_licence_invalid")
    demand(body["reference_date"] <= local_date(executed), "reference_date_invalid")
    fee = body.get("fee", 0)
    demand(fee <= amount * market.fee_ppm() // MILLION, "fee_above_tariff")
    fee_class = market.accounts.get(body.get("fee_account", ""), {"class": ""})["class"]
    demand(fee == 0 or fee_class == "fee", "fee_account_unfit")
    coin = f"BTC:{sender}"
    legs = [
        (body["seller_coin"], coin, -body["quantity"]),
        (body["buyer_coin"], coin, body["quantity"]),
        (body["buyer_tenge"], "KZT", -amount),
        (body["seller_tenge"], "KZT", amount - fee),
    ]
    market.balances = market.move(sender, [*legs, (body["fee_account"], "KZT", fee)] if fee else legs)
    market.trades.add(body["trade"])
    for mandate, debit in ((sell, body["quantity"]), (buy, amount)):
        market.used[mandate] = market.used.get(mandate, 0) + debit
    if is_mined:
        market.claims.append(
            {
                "key": f"{sender}/{body['trade']}",
                "quantity": body["quantity"],
                "executed_us": executed,
                "date": local_date(executed),
            }
        )


def check_parties(market: NaiveMarket, sender: str, body: Json) -> None:
    """Four accounts, two holders."""
    for name, asset, classes in (
        ("seller_coin", f"BTC:{sender}", CLIENTS),
        ("seller_tenge", "KZT", CLIENTS),
        ("buyer_tenge", "KZT", BUYERS),
        ("buyer_coin", f"BTC:{sender}", BUYERS),
    ):
        account = market.accounts.get(body[name])
        is_fit = account is not None and (account["owner"], account["asset"]) == (sender, asset)
        demand(is_fit and market.accounts[body[name]]["class"] in classes, "dvp_account_unfit")
    holders = []
    for coin, tenge in (("seller_coin", "seller_tenge"), ("buyer_coin", "buyer_tenge")):
        one, other = market.accounts[body[coin]], market.accounts[body[tenge]]
        is_same = all(one[member] == other[member] for member in ("holder", "class", "key"))
        demand(is_same, "dvp_holder_differs")
        holders.append(one["holder"])
    demand(holders[0] != holders[1], "self_trade")


def check_mandate(market: NaiveMarket, body: Json, side: str, quantity: int, amount: int) -> str:
    """What the holder agreed to; its name is its payload."""
    who, other = ("seller", "buyer") if side == "sell" else ("buyer", "seller")
    name, payee = (f"{who}_coin", f"{other}_coin") if side == "sell" else (f"{who}_tenge", f"{other}_tenge")
    debit = quantity if side == "sell" else amount
    account = market.accounts[body[name]]
    envelope = body[f"{who}_mandate"]
    agreed = spread(envelope["payload"])
    demand(spread(envelope["protected"])["kid"] == account["key"], "mandate_key_invalid")
    scope = {"account": body[name], "asset": account["asset"], "purpose": "dvp", "coin": body["coin"], "side": side}
    demand(scope.items() <= agreed.items() and "limit_price" in agreed, "mandate_scope_differs")
    demand(agreed.get("payee", body[payee]) == body[payee], "mandate_payee_differs")
    demand(agreed["expires"] > market.time_us, "mandate_expired")
    gain = body["price"] - agreed["limit_price"]
    demand(gain >= 0 if side == "sell" else gain <= 0, "mandate_price_outside")
    market.maximum[envelope["payload"]] = agreed["maximum"]
    demand(market.used.get(envelope["payload"], 0) + debit <= agreed["maximum"], "mandate_exceeded")
    return str(envelope["payload"])


def tariff_set(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    demand(market.is_active("exchange", sender, market.time_us), "venue_licence_invalid")
    tomorrow = (datetime.date.fromisoformat(market.date) + datetime.timedelta(days=1)).isoformat()
    market.tariff = [("", market.fee_ppm()), (tomorrow, body["fee_ppm"])]


# --- registers, production, the day -------------------------------------------------------------------------


def registry_status(market: NaiveMarket, _sender: str, body: Json, _signers: set[str]) -> None:
    history = market.registers[body["register"]].get(body["subject"])
    if history is None:
        raise No("register_subject_unknown")
    history.paint(body["from_us"], body.get("until_us"), body["status"])


def production_report(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    demand(body["sequence"] == market.reports + 1, "report_out_of_order")
    rows = body["rows"]
    demand(len({row["row"] for row in rows}) == len(rows), "row_repeated")
    payouts = [row["payout"] for row in rows]
    demand(len(set(payouts)) == len(rows) and not market.payouts & set(payouts), "payout_repeated")
    for row in rows:
        demand(row["distributed_us"] <= market.time_us, "distribution_in_future")
        demand(market.is_active("pool", sender, row["distributed_us"]), "pool_not_accredited")
        demand(row["miner"] == "miner-one", "miner_unknown")
        demand(row.get("bin") == "123456789013" and "iin" not in row, "miner_identity_differs")
        demand(row["coin"] == "BTC", "coin_unknown")
        demand(row["licence"] == "L-1", "licence_unknown")
        demand(row["licence_date"] == "2023-06-01", "licence_date_differs")
    market.reports += 1
    market.payouts |= set(payouts)
    for row in rows:
        date = local_date(row["distributed_us"])
        share = (3, 4) if date >= "2025-01-01" else (1, 2)
        is_licensed = market.is_active("licence", "L-1", row["distributed_us"])
        market.lots.append(
            {
                "key": f"{sender}/{body['sequence']}/{row['row']}",
                "quantity": row["quantity"],
                "distributed_us": row["distributed_us"],
                "date": date,
                "licensed": is_licensed,
                "due": (row["quantity"] * share[0] + share[1] - 1) // share[1] if is_licensed else 0,
            }
        )


def day_close(market: NaiveMarket, _sender: str, body: Json, _signers: set[str]) -> None:
    demand(body["closes"] == market.date, "business_date_differs")
    demand(body["opens"] > body["closes"], "business_date_not_later")
    market.date = body["opens"]


DECISIONS: dict[str, Callable[[NaiveMarket, str, Json, set[str]], None]] = {
    each.__name__: each
    for each in (
        transfer,
        journal_entry,
        client_return,
        custody_credit,
        custody_debit,
        reserve_attest,
        dvp_settle,
        tariff_set,
        registry_status,
        production_report,
        day_close,
    )
}
