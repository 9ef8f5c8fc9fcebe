"""Where the settlement machine plays: the accounts, how a transaction is sent, and what always holds."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hypothesis.stateful import RuleBasedStateMachine, invariant

from ledger.model.transactions import EmbeddedJws
from ledger.rules.invariants import check_conservation
from ledger.rules.tables import BALANCES
from ledger.state import State
from ledger.units import AssetId, BusinessDate, ParticipantId
from settlement.model.custody import Attestation
from settlement.rules.tables import ATTESTATIONS, MANDATES_USED
from settlement.views.statements import quota_statement
from tests.book import Book, key_of, own_account, wallet
from tests.machine.market_decisions import expect
from tests.machine.naive_market import CLIENTS, MILLION, NaiveMarket, spread
from tests.settlement.market import BTC, COIN, account, holder_key, market

TENGE: Final = AssetId("KZT")
HOLDERS: Final[Mapping[str, tuple[str, str]]] = {
    "A": ("client-a", "client_segregated"),
    "B": ("client-b", "client_segregated"),
    "M": ("miner-one", "miner_proceeds"),
    "F": ("affiliate", "affiliate_client"),
}
CONTRA: Final = account("CONTRABTC")
UNBOUND: Final = account("CKZT")
HOUSE: Final = account("HOUSE")
FEE: Final = account("FEE")
BANK: Final = own_account("601")


def start_accounts() -> dict[str, dict[str, Any]]:
    """The accounts of the morning, as `tests.settlement.market` opens them."""
    found: dict[str, dict[str, Any]] = {}

    def add(
        name: str, asset: str, owner: str, account_class: str, holder: str | None = None, key: bool = False
    ) -> None:
        kid = key_of(holder_key(holder)).public.kid if key and holder is not None else None
        found[name] = {"asset": asset, "owner": owner, "class": account_class, "holder": holder, "key": kid}

    for name, (holder, account_class) in HOLDERS.items():
        for asset in (COIN, TENGE):
            add(account(name + asset[:3]), asset, "aix-one", account_class, holder, key=True)
    add(UNBOUND, TENGE, "aix-one", "client_segregated", "client-c")
    add(HOUSE, TENGE, "aix-one", "house")
    add(FEE, TENGE, "aix-one", "fee")
    add(CONTRA, COIN, "aix-one", "contra")
    for code, bank in (("601", "bank-a"), ("602", "bank-b")):
        add(own_account(code), TENGE, bank, "own")
        for number in (1, 2):
            add(wallet(code, number), TENGE, bank, "wallet", f"holder-{number}")
    return found


START_BALANCES: Final[Mapping[str, int]] = {
    BANK: 9_000_000,
    account("AKZT"): 90_000_000,
    UNBOUND: 1_000_000,
    account("BBTC"): 5 * BTC,
    account("MBTC"): 10 * BTC,
    CONTRA: 15 * BTC,
}


class Floor(RuleBasedStateMachine):
    """The ledger under test beside the naive market."""

    def __init__(self) -> None:
        super().__init__()
        self.book = market()
        self.start = (self.book.state.dump(), self.book.time_us, self.book.height)
        observed_us = self.reserve().observed_us
        self.naive = NaiveMarket(start_accounts(), dict(START_BALANCES), self.book.time_us, observed_us)
        self.sent: list[tuple[bytes, int]] = []
        self.mandates: dict[str, list[EmbeddedJws]] = {"sell": [], "buy": []}

    # --- how a transaction is sent --------------------------------------------------------------------------

    def send(self, kind: str, body: Any, by: str, *also: str) -> str:
        """Send to both, and compare: the end, and whose money it was."""
        own = ("operator-1", "operator-2") if by == "operator" else (f"{by}-1",)
        return self.send_signed(kind, body, by, *own, *also)

    def send_signed(self, kind: str, body: Any, by: str, *names: str) -> str:
        """The same, signed by nobody else."""
        raw = self.book.signed(kind, body, by=by, signers=list(dict.fromkeys(names)))
        transaction = spread(json.loads(raw)["payload"])
        before = self.balances()
        self.sent.append((raw, self.book.time_us))
        kids = {key_of(name).public.kid for name in names}
        expected = expect(self.naive, transaction, kids, self.book.time_us + 1_000_000)
        end = self.book.attempt(raw)
        assert end == expected, f"expected {expected}, got {end} for {transaction}"
        self.check_segregation(transaction, before)
        if end == "accepted" and kind == "custody_credit":
            assert self.balances()[CONTRA] <= self.reserve().quantity, "no more coins are owed than an auditor has seen"
        return end

    def check_segregation(self, transaction: dict[str, Any], before: dict[str, int]) -> None:
        """Client money and coins never reach house, fee or affiliate accounts but by a sale within the tariff."""
        after, fees = self.balances(), 0
        lost = 0
        for name, row_ in self.naive.accounts.items():
            change = after.get(name, 0) - before.get(name, 0)
            if row_["class"] in CLIENTS and change < 0:
                lost -= change
            if row_["class"] in ("house", "fee"):
                fees += change
        if not lost:
            return
        assert transaction["kind"] in ("dvp_settle", "custody_debit", "client_return")
        if transaction["kind"] == "dvp_settle":
            body = transaction["body"]
            limit = body["quantity"] * body["price"] // BTC * self.naive.fee_ppm() // MILLION
            assert 0 <= fees <= limit
        else:
            assert fees == 0
            gained = sum(
                max(0, after.get(account(name), 0) - before.get(account(name), 0)) for name in ("FBTC", "FKZT")
            )
            assert gained == 0

    def balances(self) -> dict[str, int]:
        """All balances of the market but those of zero and of the tenge's contra account."""
        rows = self.book.state.items(BALANCES)
        return {name: balance for name, balance in rows if balance and name in self.naive.accounts}

    def reserve(self) -> Attestation:
        """What an auditor saw last, less what left since."""
        attestation = self.book.state.get(ATTESTATIONS, COIN)
        assert attestation is not None, "the morning has one"
        return attestation

    def consent(self, name: str) -> tuple[str, ...]:
        """The holder's signature for an account, where it has a key."""
        found = self.naive.accounts[name]
        return () if found["key"] is None else (holder_key(found["holder"]),)

    def check_replay(self) -> None:
        """The state is what the submissions make of the first one."""
        parts, time_us, height = self.start
        book = Book(self.book.rulebook, document=self.book.document)
        book.state, book.time_us, book.height = State.load(book.rulebook.tables, parts), time_us, height
        for raw, at_us in self.sent:
            book.time_us = at_us
            book.attempt(raw)
        assert book.state.digest() == self.book.state.digest()

    def teardown(self) -> None:
        """At the end of each play."""
        self.check_replay()

    # --- what always holds ----------------------------------------------------------------------------------

    @invariant()
    def balances_agree_and_nothing_is_created_or_lost(self) -> None:
        check_conservation(self.book.state)
        assert self.balances() == {name: balance for name, balance in self.naive.balances.items() if balance}
        assert self.reserve().quantity == self.naive.attested
        assert self.naive.owed() == self.balances().get(CONTRA, 0)

    @invariant()
    def mandates_are_used_up_to_their_maximum(self) -> None:
        for digest, debit in self.naive.used.items():
            assert debit <= self.naive.maximum[digest]
        assert dict(self.book.state.items(MANDATES_USED)) == self.naive.used

    @invariant()
    def the_quota_is_what_one_computes_by_hand(self) -> None:
        for as_of in ("2024-12-24", "2030-01-01"):
            statement = quota_statement(self.book.state, ParticipantId("miner-one"), "BTC", as_of=BusinessDate(as_of))
            expected = self.naive.quota(as_of)
            assert {name: getattr(statement, name) for name in expected} == expected
            assert statement.counted <= statement.produced
