"""The rules of the naive market, kind by kind."""

import base64
import datetime
import hashlib
from collections.abc import Callable

from tests.machine.naive import DAY_US, Json
from tests.machine.naive_market import (
    AMOUNT_LIMIT,
    BUYERS,
    CLIENTS,
    COIN,
    HOUSE,
    MILLION,
    NaiveMarket,
    No,
    demand,
    local_date,
    spread,
)


def expect(market: NaiveMarket, transaction: Json, signers: set[str], at_us: int) -> str:
    """Say how a submission must end, and let the market do it; signers are key ids."""
    market.time_us = at_us
    try:
        DECISIONS[transaction["kind"]](market, transaction["participant"], transaction["body"], signers)
    except No as no:
        return str(no)
    return "accepted"


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
        (leg["account"], leg["asset"], leg["amount"] if leg["side"] == "credit" else -leg["amount"])
        for leg in body["postings"]
    ]
    demand(len({account for account, *_ in legs}) == len(legs), "posting_account_repeated")
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
    market.withdrawn += body["amount"]


def reserve_attest(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    demand(body["asset"] == "BTC:aix-one" and sender in ("aix-one", "auditor"), "coin_not_admitted")
    is_ahead = body["observed_us"] > market.time_us or body["withdrawn"] > market.withdrawn
    demand(not is_ahead, "attestation_ahead")
    is_fresh = market.time_us - body["observed_us"] <= DAY_US and body["observed_us"] > market.observed_us
    demand(is_fresh, "attestation_stale")
    market.observed_us = body["observed_us"]
    market.attested = max(0, body["quantity"] - (market.withdrawn - body["withdrawn"]))


# --- sales --------------------------------------------------------------------------------------------------


def dvp_settle(market: NaiveMarket, sender: str, body: Json, _signers: set[str]) -> None:
    executed = body["executed_us"]
    demand(executed <= market.time_us, "execution_in_future")
    demand(market.time_us - executed <= DAY_US, "execution_too_old")
    demand(market.is_active("exchange", sender, executed, market.time_us), "venue_licence_invalid")
    demand(body["coin"] == "BTC", "coin_not_admitted")
    demand(body["trade"] not in market.trades, "trade_repeated")
    check_parties(market, sender, body)
    amount = body["quantity"] * body["price"] // COIN
    demand(100 <= amount <= AMOUNT_LIMIT, "trade_amount_out_of_range")
    sell = check_mandate(market, body, "sell", body["quantity"], amount)
    buy = check_mandate(market, body, "buy", body["quantity"], amount)
    is_mined = market.accounts[body["seller_coin"]]["class"] == "miner_proceeds"
    demand(not is_mined or market.is_active("licence", "L-1", executed, market.time_us), "miner_licence_invalid")
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
    """What the holder agreed to; returns the mandate's digest."""
    who, other = ("seller", "buyer") if side == "sell" else ("buyer", "seller")
    name, payee = (f"{who}_coin", f"{other}_coin") if side == "sell" else (f"{who}_tenge", f"{other}_tenge")
    debit = quantity if side == "sell" else amount
    account = market.accounts[body[name]]
    envelope = body[f"{who}_mandate"]
    agreed = spread(envelope["payload"])
    digest = mandate_digest(envelope["payload"])
    kid = spread(envelope["protected"])["kid"]
    demand(kid == account["key"], "mandate_key_invalid")
    demand((digest, kid) not in market.cancelled, "mandate_cancelled")
    scope = {"account": body[name], "asset": account["asset"], "purpose": "dvp", "coin": body["coin"], "side": side}
    demand(scope.items() <= agreed.items() and "limit_price" in agreed, "mandate_scope_differs")
    demand(agreed.get("payee", body[payee]) == body[payee], "mandate_payee_differs")
    demand(agreed["expires"] > market.time_us, "mandate_expired")
    limit = agreed["limit_price"]
    # The seller's price is what the rounded amount comes to.
    is_within = amount * COIN // quantity >= limit if side == "sell" else body["price"] <= limit
    demand(is_within, "mandate_price_outside")
    market.maximum[digest] = agreed["maximum"]
    demand(market.used.get(digest, 0) + debit <= agreed["maximum"], "mandate_exceeded")
    return digest


def mandate_digest(payload: str) -> str:
    """By hand."""
    data = base64.urlsafe_b64decode(payload + "==")
    digest = hashlib.sha256(b"dt/v1/mandate\0" + data).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def mandate_cancel(market: NaiveMarket, sender: str, body: Json, signers: set[str]) -> None:
    """By the holder key alone, or by the exchange with it."""
    holders = {row["key"] for row in market.accounts.values() if row["owner"] == sender} - {None}
    if signers != {body["kid"]}:
        demand(not (signers - {body["kid"]}) & holders, "key_use_wrong")
        demand(body["kid"] in signers, "signatures_insufficient")
    demand(body["kid"] in holders, "mandate_key_foreign")
    place = (body["mandate"], body["kid"])
    demand(place not in market.cancelled, "mandate_cancelled")
    market.cancelled.add(place)


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
        mandate_cancel,
        tariff_set,
        registry_status,
        production_report,
        day_close,
    )
}
