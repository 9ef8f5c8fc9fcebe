"""What no accepted transaction may ever do with client money and coins, read off its leaves."""

from collections import Counter

from tests.machine.market_log import Decided
from tests.machine.market_recount import Recount
from tests.machine.naive import Json

CLIENTS = {"client_segregated", "miner_proceeds", "affiliate_client", "tax_escrow"}
SALES = {"dvp_settle", "dvp_complete", "dvp_batch"}
FEE_PPM = 2_000
"""The tariff of the market, which nobody raises here."""

MILLION = 1_000_000


def watch(log: Recount, each: Decided) -> None:
    """Demand that what left client accounts went where the table of purposes says; call before it is folded."""
    if each.kind in SALES:
        assert "broken" not in log.results.values(), f"{each.kind} while the books do not agree"
    taken: Counter[str] = Counter()
    gained: Counter[tuple[str, str]] = Counter()
    for entry in each.entries:
        check_balance(entry)
        for posting in entry["postings"]:
            account = log.accounts[posting["account"]]
            if posting["side"] == "debit" and account["class"] in CLIENTS:
                taken[account["asset"]] += posting["amount"]
            elif posting["side"] == "credit":
                gained[account["class"], account["asset"]] += posting["amount"]
    if not taken:
        return
    tenge = taken["KZT"]
    for (account_class, asset), amount in gained.items():
        if account_class in CLIENTS:
            assert each.kind in SALES or each.kind == "dvp_reverse", f"{each.kind} moves money between clients"
        elif account_class == "fee":
            assert each.kind in SALES, f"{each.kind} takes a fee"
            assert asset == "KZT"
            gross = tenge if each.record is None else int(each.record.get("gross", tenge))
            assert amount <= gross * FEE_PPM // MILLION, "no more than the tariff"
        elif account_class == "wallet":
            assert each.kind == "client_return"
            assert asset == "KZT"
        else:
            assert account_class == "contra", f"{each.kind} moves client property to class {account_class}"
            assert each.kind == "custody_debit"
            assert asset != "KZT"


def check_balance(entry: Json) -> None:
    """Debits are credits, in each asset."""
    sums: Counter[str] = Counter()
    for posting in entry["postings"]:
        sums[posting["asset"]] += posting["amount"] if posting["side"] == "debit" else -posting["amount"]
    assert not any(sums.values()), f"entry {entry['sequence']} does not balance"


def check_conservation(log: Recount) -> None:
    """All that is held is what was brought into being, by asset; nobody is below zero."""
    held: Counter[str] = Counter()
    for name, balance in log.balances.items():
        assert balance >= 0, f"{name} is below zero"
        account = log.accounts[name]
        held[account["asset"]] += -balance if account["class"] == "contra" else balance
    assert not any(held.values()), f"created or lost: {held}"
