"""A small town of banks that the state machine plays in, and how its transactions are made, sent and compared."""

import json
from collections.abc import Sequence
from typing import Final

from hypothesis.stateful import RuleBasedStateMachine, initialize

from ledger.crypto import jws
from ledger.model.accounts import iban
from tests.book import START_US, genesis_document, key_of, own_account, reference_at, wallet
from tests.machine.backend import Backend, BookBackend, End
from tests.machine.naive import Json, Naive
from tests.machine.oracle import expect

CAP: Final = 5_000
"""Tiyn that a business day may issue."""

A_OWN, B_OWN, X_OWN = own_account("601"), own_account("602"), own_account("701")
A1, A2, A_BOUND, B1 = wallet("601", 1), wallet("601", 2), wallet("601", 3), wallet("602", 1)
UNOPENED: Final = tuple(wallet(code, number) for code in ("601", "602", "701") for number in (7, 8))
CONTRA: Final = iban("125", "CONTRAKZT0000")
OWNERS: Final[dict[str, str]] = {
    A_OWN: "bank-a",
    A1: "bank-a",
    A2: "bank-a",
    A_BOUND: "bank-a",
    B_OWN: "bank-b",
    B1: "bank-b",
    X_OWN: "aix",
}


def kid(name: str) -> str:
    return key_of(name).public.kid


def x(name: str) -> str:
    return key_of(name).public.x


class Town(RuleBasedStateMachine):
    """The ledger under test beside the naive one, and everybody's keys."""

    def make_backend(self, document: bytes) -> Backend:
        """Start the ledger under test from a genesis document."""
        return BookBackend(document)

    def __init__(self) -> None:
        super().__init__()
        document = genesis_document(cap_per_day=CAP)
        self.backend = self.make_backend(document)
        self.naive = Naive(document, self.backend.network)
        self.at_us = START_US
        self.count = 0
        self.sent: list[tuple[Json, list[str], End]] = []

    # --- how a transaction is made and sent -----------------------------------------------------------------

    def submit(self, transaction: Json, signers: list[str]) -> End:
        """Send to both, and compare."""
        payload = json.dumps(transaction, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        names = list(dict.fromkeys(signers))
        raw = jws.serialize(jws.sign(payload, [key_of(name) for name in names], typ=jws.TYP_TRANSACTION))
        self.at_us += 1_000_000
        expected = expect(self.naive, payload, [kid(name) for name in names], self.at_us)
        end = self.backend.submit(raw, self.at_us)
        agree = self.agree(expected, end, transaction["participant"], names)
        assert agree, f"expected {expected}, got {end} for {payload.decode()} signed by {names}"
        self.sent.append((transaction, names, end))
        return end

    def agree(self, expected: End, end: End, sender: str, signers: list[str]) -> bool:
        """Whether the ledger under test said what the naive one says."""
        return end == expected

    def transaction(self, kind: str, body: Json, by: str) -> Json:
        """Make a transaction with a reference of its own."""
        self.count += 1
        return {
            "network": self.backend.network,
            "participant": by,
            "kind": kind,
            "reference": reference_at(self.at_us, self.count),
            "body": body,
        }

    def send(self, kind: str, body: Json, by: str, *also: str, twist: str = "") -> End:
        """Send a transaction signed by whom it needs, or by others if there is a twist."""
        return self.submit(self.transaction(kind, body, by), self.signers(by, also, twist))

    def signers(self, by: str, also: tuple[str, ...], twist: str) -> list[str]:
        """Who signs for a participant, besides others."""
        own = {
            "operator": ["operator-1", "operator-2"],
            "central-bank": ["issuer-1", "issuer-2"],
        }.get(by, [f"{by}-1"])
        names = [*own, *also]
        match twist:
            case "fewer":
                names = names[:-1] or ["bank-b-1"]
            case "none":
                names = list(also) or ["bank-a-2"]
            case "stranger":
                names.append("stranger")
            case "other":
                names.append("bank-b-1")
            case "api":
                names.append(f"{by}-api")
            case "stand-in":
                names = [names[0], "new-1", *names[2:]]
            case "more":
                names.append(f"{by}-2")
        return names

    def owner(self, account: str) -> str:
        """Who signs for an account; somebody must even for one that does not exist."""
        return OWNERS.get(account, "bank-a")

    def bulk_named(self, lines: Sequence[tuple[str, str, int]], is_atomic: bool, twist: str, labels: int = 99) -> End:
        """Pay many times."""
        body = {
            "asset": "KZT",
            "is_atomic": is_atomic,
            "lines": [
                {
                    "debit": debit,
                    "credit": credit,
                    "amount": amount,
                    "label": f"{number % labels}",
                }
                for number, (debit, credit, amount) in enumerate(lines)
            ],
        }
        return self.send("bulk_transfer", body, self.owner(lines[0][0]), twist=twist)

    def issuance(self, kind: str, account: str, amount: int, payment: str, twist: str) -> End:
        """Issue or redeem tenge."""
        body = {"account": account, "amount": amount, "reserve_payment": payment}
        return self.send(kind, body, self.owner(account), "issuer-1", "issuer-2", twist=twist)

    def open_named(self, by: str, new: list[tuple[str, str, str, str | None]], twist: str) -> End:
        """Open accounts, each with its class, its asset and who holds it."""
        accounts = []
        for account, account_class, asset, holder in new:
            member = {"account": account, "asset": asset, "account_class": account_class}
            accounts.append(member if holder is None else member | {"holder_key": x(holder)})
        holders = [holder for *_, holder in new if holder is not None]
        return self.send("account_open", {"accounts": accounts}, by, *holders, twist=twist)

    def admit_named(self, name: str, role: str, code: str, quorum: int, twist: str, *further: tuple[str, str]) -> End:
        """Admit a participant with three keys, and further ones with their use."""
        uses = {f"{name}-1": "transaction", f"{name}-2": "transaction", f"{name}-api": "client_authentication"}
        uses |= dict(further)
        body = {
            "participant": name,
            "name": name.title(),
            "role": role,
            "code": code,
            "quorum": quorum,
            "keys": [{"x": x(key), "signatory": key, "use": use} for key, use in uses.items()],
        }
        witnesses = ("issuer-1", "issuer-2") if role in ("supervisor", "auditor") else ()
        return self.send("participant_admit", body, "operator", *witnesses, *uses, twist=twist)

    @initialize()
    def a_small_town(self) -> None:
        """Two banks, an exchange, a supervisor; wallets, one of them bound to its holder; some money."""
        for name, role, code in (
            ("bank-a", "intermediary", "601"),
            ("bank-b", "intermediary", "602"),
            ("aix", "exchange", "701"),
            ("supervisor", "supervisor", "900"),
        ):
            assert self.admit_named(name, role, code, 1, "").kind == "accepted"
        for account, owner in OWNERS.items():
            holder = "holder-1" if account == A_BOUND else None
            account_class = "own" if account in (A_OWN, B_OWN, X_OWN) else "wallet"
            assert self.open_named(owner, [(account, account_class, "KZT", holder)], "").kind == "accepted"
        assert self.issuance("issue", A_OWN, 2_000, "RTGS-first", "").kind == "accepted"
        lines = [(A_OWN, account, 200) for account in (A1, A_BOUND, B_OWN, B1, X_OWN)]
        assert self.bulk_named(lines, True, "").kind == "accepted"
