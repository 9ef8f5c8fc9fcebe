"""The rules of the naive ledger, kind by kind."""

import datetime
from collections.abc import Callable
from typing import Any

from tests.machine.naive import Json, Naive, No, kid_of

AMOUNT_LIMIT = 1_000_000_000_000_000
BALANCE_LIMIT = 9_007_199_254_740_991
CLASSES = {"own": {"intermediary", "exchange", "pool", "miner"}, "wallet": {"intermediary"}}

Lines = dict[int, str] | None


def amounts(body: Json) -> list[int]:
    """Every amount in a body."""
    return [each["amount"] for each in (body, *body.get("lines", ()), *body.get("postings", ())) if "amount" in each]


def is_well_formed(body: Json) -> bool:
    """Only amounts are sent out of their bounds here; `tests.rules.test_opening` has the rest."""
    return all(1 <= amount <= AMOUNT_LIMIT for amount in amounts(body))


def presented(kind: str, body: Json) -> list[str]:
    """Public keys that a body brings along."""
    if kind == "participant_admit":
        return [key["x"] for key in body["keys"]]
    if kind == "account_open":
        return [account["holder_key"] for account in body["accounts"] if "holder_key" in account]
    return [body["x"]] if kind in ("key_add", "key_rotate", "key_recover", "log_key_rotate") else []


def tomorrow(ledger: Naive) -> str:
    return (datetime.date.fromisoformat(ledger.date) + datetime.timedelta(days=1)).isoformat()


def demand(holds: bool, code: str, line: int = 0) -> None:
    if not holds:
        raise No(code, line)


# --- money --------------------------------------------------------------------------------------------------


def post(ledger: Naive, sender: str, kind: str, legs: list[Json], line: int = 0) -> None:
    """Move money, or not."""
    after = dict(ledger.balances)
    for side in ("debit", "credit"):
        for leg in legs:
            if leg["side"] == side:
                check_leg(ledger, sender, kind, leg, line)
                sign = 1 if (side == "credit") is (leg["account"] != ledger.contra) else -1
                after[leg["account"]] = after.get(leg["account"], 0) + sign * leg["amount"]
    touched = list(dict.fromkeys(leg["account"] for side in ("debit", "credit") for leg in legs if leg["side"] == side))
    for account in touched:
        demand(after[account] >= 0, "insufficient_funds", line)
        demand(after[account] <= BALANCE_LIMIT, "balance_too_large", line)
    ledger.balances = after


def check_leg(ledger: Naive, sender: str, kind: str, leg: Json, line: int) -> None:
    """One account of an entry."""
    account, side = ledger.accounts.get(leg["account"]), leg["side"]
    if account is None:
        raise No(f"{side}_account_not_found", line)
    if leg["account"] == ledger.contra:
        demand(kind in ("issue", "redeem"), "contra_account_reserved", line)
    elif side == "debit":
        demand(account["owner"] == sender, "debit_account_not_found", line)
    demand(leg["asset"] == "KZT", "account_asset_differs", line)
    demand(account["status"] != "closed", f"{side}_account_closed", line)
    if side == "debit":
        demand(account["status"] != "frozen", "debit_account_frozen", line)
        # A transfer was signed by the holder, or it would not be here.
        demand(account["holder"] is None or kind == "transfer", "holder_consent_missing", line)


def legs_of(asset: str, debit: str, credit: str, amount: int) -> list[Json]:
    """A payment."""
    return [
        {"account": debit, "asset": asset, "amount": amount, "side": "debit"},
        {"account": credit, "asset": asset, "amount": amount, "side": "credit"},
    ]


def transfer(ledger: Naive, sender: str, body: Json) -> Lines:
    demand(body["debit"] != body["credit"], "accounts_must_differ")
    post(ledger, sender, "transfer", legs_of(body["asset"], body["debit"], body["credit"], body["amount"]))
    return None


def is_held_for_another(ledger: Naive, sender: str, account: str) -> bool:
    found = ledger.accounts.get(account)
    return found is not None and found["owner"] == sender and found["holder"] is not None


def journal_entry(ledger: Naive, sender: str, body: Json) -> Lines:
    sums: dict[str, int] = {}
    for leg in body["postings"]:
        sums[leg["asset"]] = sums.get(leg["asset"], 0) + (leg["amount"] if leg["side"] == "debit" else -leg["amount"])
    demand(set(sums.values()) == {0}, "entry_unbalanced")
    named = [leg["account"] for leg in body["postings"]]
    demand(len(named) == len(set(named)), "posting_account_repeated")
    debited = [leg["account"] for leg in body["postings"] if leg["side"] == "debit"]
    demand(not any(is_held_for_another(ledger, sender, each) for each in debited), "client_account_needs_own_kind")
    post(ledger, sender, "journal_entry", body["postings"])
    return None


def bulk_transfer(ledger: Naive, sender: str, body: Json) -> Lines:
    lines = body["lines"]
    demand(len({line["label"] for line in lines}) == len(lines), "label_repeated")
    for number, line in enumerate(lines):
        demand(line["debit"] != line["credit"], "accounts_must_differ", number)
    for line in lines:
        demand(not is_held_for_another(ledger, sender, line["debit"]), "client_account_needs_own_kind")
    before, refused = ledger.balances, {}
    for number, line in enumerate(lines):
        legs = legs_of(body["asset"], line["debit"], line["credit"], line["amount"])
        try:
            post(ledger, sender, "bulk_transfer", legs, number)
        except No as no:
            if body["is_atomic"]:
                ledger.balances = before
                raise
            refused[number] = no.code
    return refused


def issuance(kind: str) -> Callable[[Naive, str, Json], Lines]:
    def decide(ledger: Naive, sender: str, body: Json) -> Lines:
        demand(body["reserve_payment"] not in ledger.payments, "reserve_payment_used")
        account = ledger.accounts.get(body["account"], {"owner": None, "class": None})
        demand(account["owner"] == sender and account["class"] == "own", "issuance_account_unfit")
        moved = ledger.moved.get((kind, ledger.date), 0) + body["amount"]
        word = "issuance" if kind == "issue" else "redemption"
        demand(moved <= ledger.in_force(ledger.caps), f"{word}_cap_exceeded")
        debit, credit = (ledger.contra, body["account"]) if kind == "issue" else (body["account"], ledger.contra)
        post(ledger, sender, kind, legs_of("KZT", debit, credit, body["amount"]))
        ledger.moved[kind, ledger.date] = moved
        ledger.payments.add(body["reserve_payment"])
        return None

    return decide


# --- accounts -----------------------------------------------------------------------------------------------


def check_digits_hold(account: str) -> bool:
    """ISO 7064, digit by digit."""
    rest = 0
    for character in account[4:] + account[:4]:
        value = int(character, 36)
        rest = (rest * (100 if value > 9 else 10) + value) % 97
    return rest == 1


def account_open(ledger: Naive, sender: str, body: Json) -> Lines:
    wanted = body["accounts"]
    demand(len({new["account"] for new in wanted}) == len(wanted), "account_repeated")
    role = ledger.participants[sender]["role"]
    for line, new in enumerate(wanted):
        demand(check_digits_hold(new["account"]), "account_check_digits_wrong", line)
        demand(new["account"][4:7] == ledger.participants[sender]["code"], "account_code_foreign", line)
        demand(new["account"] not in ledger.accounts, "account_exists", line)
        demand(new["asset"] == "KZT", "asset_unknown", line)
        demand(new["account_class"] in CLASSES, "account_class_unknown", line)
        demand(role in CLASSES[new["account_class"]], "account_class_not_permitted", line)
        key = ledger.keys.get(kid_of(new["holder_key"])) if "holder_key" in new else None
        is_ours = key is None or (key["participant"] == sender and key["use"] == "holder")
        demand(is_ours, "holder_key_foreign", line)
    for new in wanted:
        holder = None
        if "holder_key" in new:
            holder = ledger.add_key(new["holder_key"], sender, "holder", "holder")
        ledger.accounts[new["account"]] = {
            "class": new["account_class"],
            "owner": sender,
            "status": "open",
            "holder": holder,
            "frozen_by": None,
        }
    return None


def reach(ledger: Naive, sender: str, account: str) -> Json:
    """An account that the sender may order about."""
    found = ledger.accounts.get(account)
    is_supervisor = ledger.participants[sender]["role"] == "supervisor"
    if found is None or account == ledger.contra or not (is_supervisor or found["owner"] == sender):
        raise No("account_not_found")
    demand(found["status"] != "closed", "account_closed")
    return found


def account_freeze(ledger: Naive, sender: str, body: Json) -> Lines:
    account = reach(ledger, sender, body["account"])
    is_order = ledger.participants[sender]["role"] == "supervisor" and account["frozen_by"] == account["owner"]
    demand(account["status"] == "open" or is_order, "account_frozen")
    account.update(status="frozen", frozen_by=sender)
    return None


def account_unfreeze(ledger: Naive, sender: str, body: Json) -> Lines:
    account = reach(ledger, sender, body["account"])
    demand(account["status"] == "frozen", "account_not_frozen")
    is_supervisor = ledger.participants[sender]["role"] == "supervisor"
    demand(is_supervisor or account["frozen_by"] == sender, "freeze_ordered_by_other")
    account.update(status="open", frozen_by=None)
    return None


def account_close(ledger: Naive, sender: str, body: Json) -> Lines:
    account = reach(ledger, sender, body["account"])
    demand(account["status"] == "open", "account_frozen")
    demand(ledger.balances.get(body["account"], 0) == 0, "balance_not_zero")
    account["status"] = "closed"
    return None


# --- participants and keys ----------------------------------------------------------------------------------


def participant_admit(ledger: Naive, _sender: str, body: Json) -> Lines:
    demand(body["participant"] not in ledger.participants, "participant_exists")
    codes = {participant["code"] for participant in ledger.participants.values()}
    demand(body["code"] not in codes, "participant_code_taken")
    demand(body["role"] not in ("operator", "issuer"), "role_not_admittable")
    check_new_keys(ledger, body["keys"])
    people = {key["signatory"] for key in body["keys"] if key["use"] == "transaction"}
    demand(len(people) >= body["quorum"], "quorum_unreachable")
    ledger.participants[body["participant"]] = {
        "role": body["role"],
        "code": body["code"],
        "quorum": body["quorum"],
        "suspended": False,
    }
    for key in body["keys"]:
        ledger.add_key(key["x"], body["participant"], key["signatory"], key["use"])
    return None


def check_new_keys(ledger: Naive, keys: list[Json]) -> None:
    xs = [key["x"] for key in keys]
    is_new = len(set(xs)) == len(xs) and not any(kid_of(x) in ledger.keys for x in xs)
    demand(is_new, "key_already_known")
    demand(all(key["use"] in ("transaction", "client_authentication") for key in keys), "key_use_not_admittable")


def suspension(suspended: bool) -> Callable[[Naive, str, Json], Lines]:
    def decide(ledger: Naive, _sender: str, body: Json) -> Lines:
        demand(body["participant"] in ledger.participants, "participant_not_found")
        participant = ledger.participants[body["participant"]]
        demand(participant["role"] not in ("operator", "issuer"), "participant_not_suspendable")
        demand(participant["suspended"] != suspended, "already_suspended" if suspended else "not_suspended")
        participant["suspended"] = suspended
        return None

    return decide


def first_date(ledger: Naive, participant: str) -> str:
    return tomorrow(ledger) if ledger.participants[participant]["role"] == "issuer" else ""


def key_add(ledger: Naive, sender: str, body: Json) -> Lines:
    check_new_keys(ledger, [body])
    ledger.add_key(body["x"], sender, body["signatory"], body["use"], from_date=first_date(ledger, sender))
    return None


def key_rotate(ledger: Naive, sender: str, body: Json) -> Lines:
    old = ledger.keys.get(body["replaces"], {"participant": None})
    demand(old["participant"] == sender, "key_not_found")
    demand(not old["revoked"], "key_already_revoked")
    demand(old["use"] not in ("holder", "log"), "key_not_rotatable")
    check_new_keys(ledger, [{"x": body["x"], "use": old["use"]}])
    old["revoked"] = True
    ledger.add_key(body["x"], sender, old["signatory"], old["use"], from_date=first_date(ledger, sender))
    return None


def key_revoke(ledger: Naive, sender: str, body: Json) -> Lines:
    key = ledger.keys.get(body["kid"], {"participant": None})
    demand(key["participant"] == sender and key["use"] != "log", "key_not_found")
    demand(not key["revoked"], "key_already_revoked")
    demand(key["use"] != "holder" or ledger.signers == [body["kid"]], "holder_key_not_yours")
    key["revoked"] = True
    return None


def key_recover(ledger: Naive, _sender: str, body: Json) -> Lines:
    demand(body["participant"] in ledger.participants, "participant_not_found")
    role = ledger.participants[body["participant"]]["role"]
    demand(role not in ("operator", "issuer"), "keys_not_recoverable")
    check_new_keys(ledger, [body])
    ledger.add_key(
        body["x"],
        body["participant"],
        body["signatory"],
        body["use"],
        from_us=ledger.time_us + ledger.delay_us,
        from_date=first_date(ledger, body["participant"]),
    )
    return None


def log_key_rotate(ledger: Naive, sender: str, body: Json) -> Lines:
    demand(kid_of(body["x"]) not in ledger.keys, "key_already_known")
    ledger.log_kid = ledger.add_key(body["x"], sender, "log", "log")
    return None


# --- governance ---------------------------------------------------------------------------------------------


def policy_set(ledger: Naive, _sender: str, body: Json) -> Lines:
    demand(body["kind"] in ledger.policies, "policy_kind_unknown")
    demand(body["kind"] not in ("policy_set", "cap_set", "rulebook_set"), "policy_fixed")
    for cosigner in body.get("cosigners", []):
        demand(("role" in cosigner) != ("participant" in cosigner), "policy_cosigner_unclear")
    ledger.policies[body["kind"]] = replaced(ledger, ledger.policies[body["kind"]], body)
    return None


def replaced(ledger: Naive, dated: list[tuple[str, Any]], value: Any) -> list[tuple[str, Any]]:
    """What is in force stays for today; the last change of a day is the next day's."""
    return [("", ledger.in_force(dated)), (tomorrow(ledger), value)]


def cap_set(ledger: Naive, _sender: str, body: Json) -> Lines:
    ledger.caps = replaced(ledger, ledger.caps, body["per_day"])
    return None


def rulebook_set(ledger: Naive, _sender: str, body: Json) -> Lines:
    demand(body["version"] > ledger.rulebook, "rulebook_not_newer")
    ledger.next_rulebook = (tomorrow(ledger), body["version"])
    return None


def day_close(ledger: Naive, _sender: str, body: Json) -> Lines:
    demand(body["closes"] == ledger.date, "business_date_differs")
    try:
        datetime.date.fromisoformat(body["opens"])
    except ValueError:
        raise No("business_date_invalid") from None
    demand(body["opens"] > ledger.date, "business_date_not_later")
    step = datetime.date.fromisoformat(body["opens"]) - datetime.date.fromisoformat(ledger.date)
    demand(step.days <= 31, "business_date_too_far")
    ledger.date = body["opens"]
    if ledger.next_rulebook is not None and ledger.next_rulebook[0] <= ledger.date:
        ledger.rulebook, ledger.next_rulebook = ledger.next_rulebook[1], None
    return None


DECISIONS: dict[str, Callable[[Naive, str, Json], Lines]] = {
    "account_close": account_close,
    "account_freeze": account_freeze,
    "account_open": account_open,
    "account_unfreeze": account_unfreeze,
    "bulk_transfer": bulk_transfer,
    "cap_set": cap_set,
    "day_close": day_close,
    "issue": issuance("issue"),
    "journal_entry": journal_entry,
    "key_add": key_add,
    "key_recover": key_recover,
    "key_revoke": key_revoke,
    "key_rotate": key_rotate,
    "log_key_rotate": log_key_rotate,
    "participant_admit": participant_admit,
    "participant_reinstate": suspension(False),
    "participant_suspend": suspension(True),
    "policy_set": policy_set,
    "redeem": issuance("redeem"),
    "rulebook_set": rulebook_set,
    "transfer": transfer,
}
