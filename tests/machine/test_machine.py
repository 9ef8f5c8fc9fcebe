"""The whole rulebook against the naive ledger: whatever is sent, in whatever order, both must say the same.

To try another backend, subclass `LedgerMachine` with its `make_backend` and take the subclass's `TestCase`.
"""

from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from tests.book import reference_at
from tests.machine.naive import Json
from tests.machine.town import A1, A2, A_BOUND, A_OWN, B1, CAP, CONTRA, OWNERS, UNOPENED, Town, kid, x

HOUR_US: Final = 3_600_000_000

ACCOUNTS = st.sampled_from([*OWNERS, *OWNERS, *UNOPENED, CONTRA])
ORDERED = st.sampled_from([A2, A2, A2, B1, A_BOUND, UNOPENED[0], CONTRA])
PARTICIPANTS = st.sampled_from(["bank-a", "bank-b", "aix", "supervisor"])
SMALL = st.integers(1, 60)
AMOUNTS = st.one_of(SMALL, SMALL, SMALL, st.sampled_from([0, 2_500, CAP, 10**15, 10**15 + 1]))
ASSETS = st.sampled_from(["KZT"] * 9 + ["BTC:aix-one"])
TWISTS = st.sampled_from([""] * 12 + ["fewer", "none", "stranger", "other", "api", "more", "stand-in"])
"""How the signatures differ from those that are asked for."""

KEYS = st.sampled_from(["bank-a-2", "bank-b-2", "aix-2", "operator-3", "issuer-3", "holder-1", "bank-a-api", "log"])
"""Keys that may be lost: each participant keeps its first, so that the play goes on."""

SENDERS = st.sampled_from(["bank-a", "bank-b", "central-bank", "operator"])
NEW_KEYS = st.sampled_from([*(f"new-{number}" for number in range(6)), "bank-a-2", "holder-1"])
USES = st.sampled_from(["transaction", "transaction", "transaction", "client_authentication", "holder", "log"])
DATES = st.sampled_from(["2024-12-25", "2024-12-26", "2024-12-27", "2025-02-28", "2025-02-29", "2024-12-01"])
LEGS = st.lists(st.tuples(st.sampled_from(["debit", "credit"]), ACCOUNTS, st.integers(1, 4)), min_size=2, max_size=5)
LINES = st.lists(st.tuples(ACCOUNTS, ACCOUNTS, SMALL), min_size=1, max_size=6)

pytestmark = pytest.mark.timeout(3_600)
"""The nightly profile plays thousands of times."""

PAYMENT: Final = {"debit": A1, "credit": B1, "amount": 1, "asset": "KZT"}

MISSING = st.lists(
    st.sampled_from(["bank-a-1", "issuer-2", "new-1", "bank-b-1", "holder-1", "operator-2"]), min_size=1, max_size=2
)

COSIGNERS = st.sampled_from(
    [
        None,
        None,
        {"role": "intermediary", "threshold": 2},
        {"participant": "bank-b", "threshold": 1},
        {"threshold": 1},
    ]
)


class LedgerMachine(Town):
    """Each step is one submission, a restart or the passing of time."""

    # --- money ----------------------------------------------------------------------------------------------

    @rule(debit=ACCOUNTS, credit=ACCOUNTS, amount=AMOUNTS, asset=ASSETS, twist=TWISTS, is_owner=st.integers(0, 5))
    def transfer(self, debit: str, credit: str, amount: int, asset: str, twist: str, is_owner: int) -> None:
        body = {"debit": debit, "credit": credit, "amount": amount, "asset": asset}
        also = ("holder-1",) if debit == A_BOUND else ()
        self.send("transfer", body, self.owner(debit) if is_owner else "bank-b", *also, twist=twist)

    @rule(legs=LEGS, settle=st.booleans(), asset=ASSETS, twist=TWISTS, by=PARTICIPANTS)
    def journal_entry(self, legs: list[tuple[str, str, int]], settle: bool, asset: str, twist: str, by: str) -> None:
        if settle:
            by = self.owner(legs[0][1])
            legs = [(side, account, amount) for side, account, amount in legs if self.owner(account) == by]
            open_sum = sum(amount if side == "debit" else -amount for side, _, amount in legs)
            if open_sum:
                legs.append(("credit" if open_sum > 0 else "debit", A2, abs(open_sum)))
            if len(legs) < 2:
                return
        postings = [
            {"account": account, "asset": asset, "amount": amount, "side": side} for side, account, amount in legs
        ]
        self.send("journal_entry", {"postings": postings}, by, twist=twist)

    @rule(lines=LINES, is_atomic=st.booleans(), twist=TWISTS, tidy=st.integers(0, 3))
    def bulk(self, lines: list[tuple[str, str, int]], is_atomic: bool, twist: str, tidy: int) -> None:
        if tidy:
            lines = [(debit, credit, amount) for debit, credit, amount in lines if debit not in (credit, A_BOUND)]
        if lines:
            self.bulk_named(lines, is_atomic, twist, labels=4 if tidy == 1 else 99)

    @rule(
        kind=st.sampled_from(["issue", "redeem"]),
        account=ACCOUNTS,
        amount=AMOUNTS,
        payment=st.integers(0, 4),
        twist=TWISTS,
    )
    def issue_or_redeem(self, kind: str, account: str, amount: int, payment: int, twist: str) -> None:
        self.issuance(kind, A_OWN if payment < 3 else account, amount, f"RTGS-{payment}", twist)

    # --- accounts -------------------------------------------------------------------------------------------

    @rule(
        by=PARTICIPANTS,
        new=st.lists(
            st.tuples(
                st.sampled_from([*UNOPENED, *UNOPENED, A1, CONTRA, "KZ00" + UNOPENED[0][4:]]),
                st.sampled_from(["wallet", "wallet", "own", "vault", "contra"]),
                ASSETS,
                st.sampled_from([None, None, "holder-1", "holder-2", "bank-a-2"]),
            ),
            min_size=1,
            max_size=2,
        ),
        twist=TWISTS,
    )
    def open_accounts(self, by: str, new: list[tuple[str, str, str, str | None]], twist: str) -> None:
        if twist != "more":
            by = {"601": "bank-a", "602": "bank-b", "701": "aix"}.get(new[0][0][4:7], by)
        self.open_named(by, new, twist)

    @rule(
        kind=st.sampled_from(["freeze", "unfreeze", "close", "close"]),
        account=ORDERED,
        by=PARTICIPANTS,
        twist=TWISTS,
    )
    def order(self, kind: str, account: str, by: str, twist: str) -> None:
        by = by if by == "supervisor" else self.owner(account)
        body = {"account": account} if kind == "close" else {"account": account, "reason": "order-17"}
        self.send(f"account_{kind}", body, by, twist=twist)

    # --- participants and keys ------------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(["bank-c", "bank-c", "bank-a"]),
        role=st.sampled_from(["intermediary", "miner", "issuer"]),
        code=st.sampled_from(["603", "603", "601"]),
        quorum=st.integers(1, 3),
        further=st.none() | st.tuples(NEW_KEYS, USES),
        twist=TWISTS,
    )
    def admit(self, name: str, role: str, code: str, quorum: int, further: tuple[str, str] | None, twist: str) -> None:
        self.admit_named(name, role, code, quorum, twist, *([further] if further else []))

    @rule(
        kind=st.sampled_from(["suspend", "reinstate", "reinstate"]),
        participant=st.sampled_from(["bank-b", "aix", "bank-c", "operator"]),
        twist=TWISTS,
    )
    def suspend_or_reinstate(self, kind: str, participant: str, twist: str) -> None:
        self.send(f"participant_{kind}", {"participant": participant, "reason": "order-17"}, "operator", twist=twist)

    @rule(
        by=st.sampled_from(["bank-a", "central-bank", "operator"]),
        new=NEW_KEYS,
        is_second=st.booleans(),
        use=USES,
        twist=TWISTS,
    )
    def add_key(self, by: str, new: str, is_second: bool, use: str, twist: str) -> None:
        """A key of a new signatory, or the second one of the first."""
        signatory = self.signers(by, (), "")[0] if is_second else new
        self.send("key_add", {"x": x(new), "signatory": signatory, "use": use}, by, new, twist=twist)

    @rule(by=st.sampled_from(["bank-a", "central-bank", "operator"]), old=KEYS, new=NEW_KEYS, twist=TWISTS)
    def rotate_key(self, by: str, old: str, new: str, twist: str) -> None:
        self.send("key_rotate", {"replaces": kid(old), "x": x(new)}, by, new, twist=twist)

    @rule(by=SENDERS, key=KEYS | NEW_KEYS, alone=st.booleans())
    def revoke_key(self, by: str, key: str, alone: bool) -> None:
        body = {"kid": kid(key), "reason": "order-17"}
        if not alone:
            self.send("key_revoke", body, by)
            return
        self.submit(self.transaction("key_revoke", body, by), [key])

    @rule(
        participant=st.sampled_from(["bank-a", "central-bank", "bank-z"]),
        new=NEW_KEYS,
        use=USES,
        twist=TWISTS,
    )
    def recover_key(self, participant: str, new: str, use: str, twist: str) -> None:
        body = {"participant": participant, "x": x(new), "signatory": new, "use": use}
        self.send("key_recover", body, "operator", new, twist=twist)

    @rule(old=st.sampled_from(["log", "log", "log-2"]), new=st.sampled_from(["log-2", "log-3", "log"]), twist=TWISTS)
    def rotate_log_key(self, old: str, new: str, twist: str) -> None:
        self.send("log_key_rotate", {"x": x(new)}, "operator", old, new, twist=twist)

    @rule(signer=NEW_KEYS | KEYS, debit=st.sampled_from([A1, A_OWN]))
    def pay_with_any_key(self, signer: str, debit: str) -> None:
        body = {"debit": debit, "credit": A2, "amount": 1, "asset": "KZT"}
        self.submit(self.transaction("transfer", body, "bank-a"), [signer])

    # --- governance -----------------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(["transfer", "bulk_transfer", "account_freeze", "cap_set", "teleport"]),
        roles=st.sampled_from([["intermediary", "exchange", "supervisor"], ["exchange"], []]),
        own=st.integers(0, 2),
        cosigner=COSIGNERS,
        twist=TWISTS,
    )
    def set_policy(self, kind: str, roles: list[str], own: int, cosigner: Json | None, twist: str) -> None:
        body: Json = {"kind": kind, "roles": roles, "own": own}
        if cosigner is not None:
            body["cosigners"] = [cosigner]
        self.send("policy_set", body, "central-bank", twist=twist)

    @rule(per_day=st.sampled_from([0, 300, CAP]), twist=TWISTS)
    def set_cap(self, per_day: int, twist: str) -> None:
        self.send("cap_set", {"per_day": per_day}, "central-bank", twist=twist)

    @rule(version=st.integers(1, 3), twist=TWISTS)
    def set_rulebook(self, version: int, twist: str) -> None:
        self.send("rulebook_set", {"version": version}, "central-bank", twist=twist)

    @rule(opens=DATES, closes=st.sampled_from(["", "", "", "2024-12-24"]), twist=TWISTS)
    def close_day(self, opens: str, closes: str, twist: str) -> None:
        self.send("day_close", {"closes": closes or self.naive.date, "opens": opens}, "operator", twist=twist)

    # --- what goes wrong on the way -------------------------------------------------------------------------

    @rule(
        back_us=st.sampled_from([25 * HOUR_US, 20 * HOUR_US, -HOUR_US // 15, -HOUR_US // 6]),
        expires_us=st.sampled_from([None, None, 0, 1_000_001]),
    )
    def pay_out_of_time(self, back_us: int, expires_us: int | None) -> None:
        transaction = self.transaction("transfer", PAYMENT, "bank-a")
        transaction["reference"] = reference_at(self.at_us - back_us, self.count)
        if expires_us is not None:
            transaction["expires"] = self.at_us + expires_us
        self.submit(transaction, ["bank-a-1"])

    @rule(members=st.sampled_from([{"network": "other:" + "A" * 43}, {"kind": "teleport"}, {"participant": "bank-z"}]))
    def pay_wrongly(self, members: Json) -> None:
        self.submit(self.transaction("transfer", PAYMENT, "bank-a") | members, ["bank-a-1"])

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 10**6), signer=KEYS | st.none(), change=st.integers(0, 2))
    def send_again(self, which: int, signer: str | None, change: int) -> None:
        """The same once more: under its own signatures or another, or with another payload."""
        transaction, signers, _ = self.sent[which % len(self.sent)]
        if change == 0:
            transaction = transaction | {"expires": self.at_us + HOUR_US}
        self.submit(transaction, signers if signer is None else [signer])

    @precondition(lambda self: any(end.code == "signatures_insufficient" for *_, end in self.sent))
    @rule(
        which=st.integers(0, 10**6),
        more=st.lists(
            st.sampled_from(["bank-a-1", "issuer-2", "new-1", "bank-b-1", "holder-1", "operator-2"]),
            min_size=1,
            max_size=2,
        ),
    )
    def add_missing_signatures(self, which: int, more: list[str]) -> None:
        """Under the same reference: it was not spent."""
        short = [each for each in self.sent if each[2].code == "signatures_insufficient"]
        transaction, signers, _ = short[which % len(short)]
        self.submit(transaction, [*signers, *more, *self.signers(transaction["participant"], (), "")])

    @rule(passed_us=st.sampled_from([1, 60_000_000, HOUR_US // 4]))
    def time_passes(self, passed_us: int) -> None:
        self.at_us += passed_us

    @rule()
    def nearly_two_days_pass(self) -> None:
        """And a transaction comes, with which the ledger forgets the references of before."""
        self.at_us += 40 * HOUR_US
        self.send("day_close", {"closes": "2000-01-01", "opens": "2000-01-02"}, "operator")

    @rule()
    def restart(self) -> None:
        self.backend.restart()
        self.backend.check_replay()

    def teardown(self) -> None:
        """At the end of each play."""
        self.backend.close()

    @invariant()
    def balances_agree_and_nothing_is_created_or_lost(self) -> None:
        balances = {account: balance for account, balance in self.naive.balances.items() if balance}
        assert self.backend.balances() == balances
        held = sum(balance for account, balance in balances.items() if account != CONTRA)
        assert held == balances.get(CONTRA, 0)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(stateful_step_count=50)
