"""What lots, sales and money come to, told from a log alone: a second implementation, plain and slow.

It knows nothing of `settlement`: it folds transactions and leaves, as JSON, into dicts. What a rule refused is passed
over; what it accepted is taken at its word, but for what must never be: see `market_watch`.
"""

import datetime
import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.machine.market_log import Decided
from tests.machine.naive import Json
from tests.machine.naive_market import FOREVER, History, No, local_date

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
SUMMER_UNTIL = "2024-03-01"
"""Kazakhstan kept six hours ahead until then, five since."""


def midnight_us(date: str) -> int:
    """The first moment of a local date."""
    hours = 6 if date < SUMMER_UNTIL else 5
    moment = datetime.datetime.fromisoformat(f"{date}T00:00:00+00:00") - datetime.timedelta(hours=hours)
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


class Recount:
    """Everything that statements rest on, from the log."""

    def __init__(self, document: bytes) -> None:
        genesis = json.loads(document)
        self.accounts: dict[str, Json] = {
            asset["contra"]: {"class": "contra", "owner": asset["issuer"], "asset": asset["asset"]}
            for asset in genesis["assets"]
        }
        self.balances: dict[str, int] = {}
        self.registers: dict[str, dict[str, History]] = {"exchange": {}, "pool": {}, "licence": {}, "price_list": {}}
        self.licences: dict[str, Json] = {}
        self.miner_of: dict[str, str] = {}
        """Account to the miner that confirmed it."""
        self.lots: dict[str, Json] = {}
        self.versions: dict[tuple[str, int, int], int] = {}
        self.sides: dict[str, dict[str, Json]] = {}
        """Trade to what each side said."""
        self.set_aside: dict[str, int] = {}
        self.open: set[str] = set()
        self.claims: dict[str, Json] = {}
        self.undone: dict[str, int] = {}
        self.flags: dict[str, list[str]] = {}
        self.decisions: dict[str, list[Json]] = {}
        self.rates: list[Json] = []
        self.published: dict[str, Json] = {}
        """Miner, coin and date to the last version of a statement."""
        self.prices: dict[str, int] = {}
        self.cuts: dict[str, int] = {}
        self.results: dict[str, str] = {}

    def fold(self, decided: Iterable[Decided]) -> None:
        """Take in what the log holds next."""
        for each in decided:
            if each.refusal:
                continue
            self._move(each.entries)
            handler = _HANDLERS.get(each.kind)
            if handler is not None:
                handler(self, each)

    def _move(self, entries: Iterable[Json]) -> None:
        for entry in entries:
            for posting in entry["postings"]:
                name = posting["account"]
                grows = (posting["side"] == "credit") is not (self.accounts[name]["class"] == "contra")
                self.balances[name] = self.balances.get(name, 0) + (posting["amount"] if grows else -posting["amount"])

    # --- registers ------------------------------------------------------------------------------------------

    def grant(self, register: str, subject: str, from_us: int, until_us: int | None) -> None:
        """A first interval; the machine grants nobody a second one."""
        self.registers[register].setdefault(subject, History(from_us, until_us or FOREVER))

    def row(self, name: str, row: Json) -> None:
        """One row of a register, alone or from a file."""
        if name == "licence":
            issued = row["issued"]
            last = f"{int(issued[:4]) + 3}{issued[4:]}"
            self.grant("licence", row["licence"], midnight_us(issued), midnight_us(row.get("expires", last)))
            self.licences[row["licence"]] = {"miner": row["miner"], "subtype": row["subtype"]}
        elif name == "status":
            if row["register"] in self.registers:
                try:
                    self.registers[row["register"]][row["subject"]].paint(
                        row["from_us"], row.get("until_us"), row["status"]
                    )
                except No as no:
                    raise AssertionError(f"the log accepts a change of status that cannot be: {no}") from no
        elif name in ("exchange", "pool"):
            self.grant(name, row[name], row["from_us"], row.get("until_us"))
        elif name == "price_list":
            self.grant(name, row["coin"], row["from_us"], row.get("until_us"))

    def is_active(self, register: str, subject: str, moment: int) -> bool:
        return self.registers[register][subject].at(moment) == "active"

    # --- production -----------------------------------------------------------------------------------------

    def lot(self, pool: str, report: int, row: Json) -> Json:
        licence = self.licences[row["licence"]]
        is_licensed = self.is_active("licence", row["licence"], row["distributed_us"])
        return {
            "miner": row["miner"],
            "coin": row["coin"],
            "quantity": row["quantity"],
            "distributed_us": row["distributed_us"],
            "date": local_date(row["distributed_us"]),
            "subtype": licence["subtype"],
            "state": "open" if is_licensed else "unlicensed",
            "row": (pool, report, row["row"]),
        }

    def key(self, row: tuple[str, int, int]) -> str:
        base = "/".join(map(str, row))
        return base if row not in self.versions else f"{base}/{self.versions[row]}"

    # --- sales ----------------------------------------------------------------------------------------------

    def claim(self, trade: str, terms: Json, quantity: int, decided: Decided) -> None:
        """A sale is final; only a miner's sale is a claim."""
        if self.accounts[terms["seller_coin"]]["class"] != "miner_proceeds":
            return
        self.claims[trade] = {
            "miner": self.accounts[terms["seller_coin"]]["holder"],
            "coin": terms["coin"],
            "quantity": quantity,
            "executed_us": terms["executed_us"],
            "date": local_date(terms["executed_us"]),
            "settled_us": decided.time_us,
            "exchange": decided.sender,
        }

    def owed(self, exchange: str, asset: str) -> int:
        """What an exchange owes its clients, by the accounts it keeps."""
        classes = {"client_segregated", "miner_proceeds", "affiliate_client", "tax_escrow"}
        return sum(
            self.balances.get(name, 0)
            for name, account in self.accounts.items()
            if account["owner"] == exchange and account["asset"] == asset and account["class"] in classes
        )

    def price_on(self, coin: str, date: str) -> int | None:
        """The price of the last Monday to Friday; the machine sets no holidays."""
        day = datetime.date.fromisoformat(date)
        while day.weekday() > 4:
            day -= datetime.timedelta(days=1)
        return self.prices.get(f"{coin}/{day.isoformat()}")


def _account_open(log: Recount, each: Decided) -> None:
    for new in each.body["accounts"]:
        log.accounts[new["account"]] = {
            "class": new["account_class"],
            "owner": each.sender,
            "asset": new["asset"],
            "holder": new.get("holder"),
        }


def _coin_admit(log: Recount, each: Decided) -> None:
    asset = f"{each.body['coin']}:{each.sender}"
    log.accounts[each.body["contra"]] = {"class": "contra", "owner": each.sender, "asset": asset}


def _single(name: str) -> Callable[[Recount, Decided], None]:
    return lambda log, each: log.row(name, each.body)


def _load(log: Recount, each: Decided) -> None:
    for row in each.body["rows"]:
        log.row(row["row"], row)


def _confirm(log: Recount, each: Decided) -> None:
    log.miner_of[each.body["account"]] = each.sender


def _report(log: Recount, each: Decided) -> None:
    for row in each.body["rows"]:
        lot = log.lot(each.sender, each.body["sequence"], row)
        log.lots[log.key(lot["row"])] = lot


def _correct(log: Recount, each: Decided) -> None:
    report = each.body["report"]
    replaced = {row["row"]: row for row in each.body.get("rows", ())}
    for number in (*replaced, *each.body.get("withdrawn", ())):
        log.lots[log.key((each.sender, report, number))]["state"] = "corrected"
    for number, row in replaced.items():
        place = (each.sender, report, number)
        log.versions[place] = log.versions.get(place, 1) + 1
        log.lots[log.key(place)] = log.lot(each.sender, report, row)


def _trade(each: Decided) -> str:
    return f"{each.body.get('exchange', each.sender)}/{each.body['trade']}"


def _settle(log: Recount, each: Decided) -> None:
    log.claim(_trade(each), each.body, each.body["quantity"], each)


def _instruct(log: Recount, each: Decided) -> None:
    log.sides.setdefault(_trade(each), {})[each.body["side"]] = each.body["terms"]
    log.open.add(_trade(each))


def _complete(log: Recount, each: Decided) -> None:
    assert each.record is not None
    log.claim(_trade(each), log.sides[_trade(each)]["seller"], each.record["quantity"], each)
    log.open.remove(_trade(each))


def _batch(log: Recount, each: Decided) -> None:
    for trade, entry in zip(each.body["trades"], each.entries, strict=False):
        key = f"{each.sender}/{trade}"
        log.claim(key, log.sides[key]["seller"], entry["postings"][0]["amount"], each)
        log.open.remove(key)


def _end(log: Recount, each: Decided) -> None:
    log.open.remove(_trade(each))


def _reverse(log: Recount, each: Decided) -> None:
    log.undone[_trade(each)] = log.undone.get(_trade(each), 0) + each.body["quantity"]


def _flag(log: Recount, each: Decided) -> None:
    log.flags.setdefault(each.body["claim"], []).append(each.body["reason"])


def _decide(log: Recount, each: Decided) -> None:
    log.decisions.setdefault(each.body["claim"], []).append(each.body)


def _rate(log: Recount, each: Decided) -> None:
    log.rates.append(each.body["policy"])


def _publish(log: Recount, each: Decided) -> None:
    key = "/".join(each.body[name] for name in ("miner", "coin", "as_of"))
    last = log.published.get(key)
    assert each.body["version"] == (1 if last is None else last["version"] + 1)
    assert each.body.get("previous") == (None if last is None else last["statement"])
    log.published[key] = each.body


def _price(log: Recount, each: Decided) -> None:
    for price in each.body["prices"]:
        log.prices.setdefault(f"{price['coin']}/{each.body['date']}", price["price"])


def _cut(log: Recount, each: Decided) -> None:
    assert each.record is not None
    for asset, cut in each.record["assets"].items():
        log.cuts[f"{each.sender}/{asset}"] = log.owed(each.sender, asset)
        assert cut["ledger"] == log.cuts[f"{each.sender}/{asset}"], "a cut shows what clients are owed"


def _reconcile(log: Recount, each: Decided) -> None:
    assert each.record is not None
    for books in each.body["assets"]:
        key = f"{each.sender}/{books['asset']}"
        verdict: Any = each.record["assets"][books["asset"]]
        log.results[key] = verdict["result"]
        assert books["books"] == log.cuts[key] or verdict["result"] == "broken"


_HANDLERS: dict[str, Callable[[Recount, Decided], None]] = {
    "account_open": _account_open,
    "coin_admit": _coin_admit,
    "registry_exchange": _single("exchange"),
    "registry_pool": _single("pool"),
    "registry_licence": _single("licence"),
    "registry_status": _single("status"),
    "registry_load": _load,
    "miner_account_confirm": _confirm,
    "production_report": _report,
    "production_correct": _correct,
    "dvp_settle": _settle,
    "dvp_instruct": _instruct,
    "dvp_complete": _complete,
    "dvp_batch": _batch,
    "dvp_cancel": _end,
    "dvp_release": _end,
    "dvp_reverse": _reverse,
    "claim_flag": _flag,
    "claim_decide": _decide,
    "quota_policy_set": _rate,
    "quota_statement_publish": _publish,
    "price_publish": _price,
    "reconciliation_cut": _cut,
    "reconcile_day": _reconcile,
}
