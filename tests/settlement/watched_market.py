"""A market of two exchanges in which everybody signs whatever is asked, and every entry is looked at.

The checks say in their own words what client money may do; they do not read the table that the guard reads.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from hypothesis import event

from ledger.crypto.keys import InvalidKey, thumbprint
from ledger.model.accounts import Account
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import Accepted, Inadmissible
from ledger.model.participants import Role
from ledger.model.transactions import EmbeddedJws
from ledger.rules.opening import NotAdmissible
from ledger.rules.tables import ACCOUNTS, KEYS, PARTICIPANTS, POLICIES, ledger_of
from ledger.rules.transfers import Transfer
from ledger.state import View
from ledger.units import (
    AccountField,
    AccountId,
    AssetField,
    AssetId,
    DateField,
    DigestField,
    KindField,
    LabelField,
    ParticipantField,
    ParticipantId,
)
from settlement.model.custody import fee_limit
from settlement.model.registers import CoinField
from settlement.rules import RULEBOOK
from settlement.rules.coins import CoinAdmit
from settlement.rules.tables import PAYEES, TAX_ACCOUNTS
from settlement.rules.tariff import fee_ppm_on
from tests.book import end_of, key_of, own_account
from tests.settlement.any_body import Things
from tests.settlement.instructed import enrich, nonce, open_escrow
from tests.settlement.market import (
    BTC,
    accepted,
    account,
    buy_mandate,
    commitment,
    credit_coins,
    holder_key,
    market,
    open_holder,
    sell_mandate,
)
from tests.settlement.test_purposes import belongs

HOLDERS: Final = {"A": "client-a", "B": "client-b", "M": "miner-one", "F": "affiliate", "H": "hidden"}
PEOPLE: Final = (
    *(f"operator-{number}" for number in (1, 2, 3)),
    *(f"issuer-{number}" for number in (1, 2, 3)),
    *(
        f"{name}-{number}"
        for name in (
            "ministry",
            "auditor",
            "aix-one",
            "aix-two",
            "pool-one",
            "miner-one",
            "miner-two",
            "bank-a",
            "bank-b",
        )
        for number in (1, 2)
    ),
    *(holder_key(holder) for holder in (*HOLDERS.values(), "foreign")),
    "treasury",
    "newcomer",
)
NAMES: Final = {key_of(name).public.kid: name for name in PEOPLE}
SALES: Final = ("dvp_settle", "dvp_complete", "dvp_batch")
TAXED: Final = ("dvp_complete", "dvp_batch")
DEBITS: Final = {
    **dict.fromkeys(SALES, "sale"),
    "dvp_reverse": "reversal",
    "custody_debit": "coins out",
    "client_return": "return",
    "court_order_debit": "order",
    "winddown_pay": "distribution",
}
"""What may take from a client."""

CREDITS: Final = {
    "transfer": "paid in",
    "journal_entry": "paid in",
    "bulk_transfer": "paid in",
    "custody_credit": "coins in",
}
"""What may give to a client besides, and comes from no client."""


class WatchedMarket:
    """A market, and what its clients hold by the purposes that were recognised."""

    def __init__(self) -> None:
        book = self.book = market()
        open_holder(book, "hidden", "client_segregated", "H")
        open_escrow(book)
        accepted(book.open_account("aix-one", account("HBTC2"), account_class="house", asset=AssetId("BTC:aix-one")))
        accepted(book.open_account("aix-one", own_account("801"), account_class="own"))
        admit = CoinAdmit(coin="BTC", contra=account("CONTRABTC", "802"))
        accepted(book.submit("coin_admit", admit, by="aix-two", signers=("aix-two-1", "ministry-1")))
        for name, each in (("HOUSE", "house"), ("FEE", "fee")):
            accepted(book.open_account("aix-two", account(name, "802"), account_class=each))
        opened = book.open_account(
            "aix-two",
            account("XKZT", "802"),
            account_class="client_segregated",
            holder="client-a",
            holder_key=holder_key("foreign"),
        )
        accepted(opened)
        belongs(book, "aix-one/hidden")
        for name in ("FBTC", "HBTC"):
            accepted(credit_coins(book, name, 2 * BTC))
        for name in ("BKZT", "FKZT", "HKZT", "HOUSE", "TAX"):
            enrich(book, name, 60_000_000)
        body = Transfer(debit=account("HOUSE"), credit=account("XKZT", "802"), asset=TENGE, amount=20_000_000)
        accepted(book.submit("transfer", body, by="aix-one"))
        self.holdings = self.counted()
        """Exchange, holder and asset to what its client accounts hold."""
        self.trades: list[str] = []

    def send(self, kind: str, body: Any, by: str) -> None:
        """Signed by everybody who is asked."""
        before: View = self.book.state
        tariff = {
            each: fee_ppm_on(before, ParticipantId(each), ledger_of(before).business_date)
            for each in ("aix-one", "aix-two")
        }
        try:
            raw = self.book.signed(kind, body, by=by, signers=self.asked(kind, body, by))
            outcome = self.book.decide(raw)
        except (NotAdmissible, InvalidKey) as error:
            event(f"{kind}: {getattr(error, 'code', 'no key')}")
            return
        end = outcome.code if isinstance(outcome, Inadmissible) else end_of(outcome)
        event(f"{kind}: {end}")
        if isinstance(outcome, Accepted):
            self.check(kind, outcome, tariff)

    def asked(self, name: str, body: Any, by: str) -> tuple[str, ...]:
        """The names of all whose signatures count, as far as this test has their keys."""
        state, kind = self.book.state, RULEBOOK.kinds[name]
        dated, sender = state.get(POLICIES, name), state.get(PARTICIPANTS, by)
        if dated is None or sender is None:
            return (f"{by}-1",)
        policy = dated.on(ledger_of(state).business_date)
        cosigners = (*policy.cosigners, *kind.cosigners(state, body))
        presented = {thumbprint(x) for x in kind.presented_keys(body)}
        signers: dict[str, None] = dict.fromkeys(self.signatories(by, policy.own or sender.quorum))
        for cosigner in cosigners:
            who = cosigner.participant or next(
                (each for each, found in sorted(state.items(PARTICIPANTS)) if found.role is cosigner.role), "nobody"
            )
            signers |= dict.fromkeys(self.signatories(who, cosigner.threshold))
        for kid in kind.required_keys(state, body):
            key = state.get(KEYS, kid)
            if kid in NAMES and (kid in presented or key is None or key.participant == by):
                signers[NAMES[kid]] = None
        return tuple(signers)

    def signatories(self, participant: str, count: int) -> tuple[str, ...]:
        prefix = {"central-bank": "issuer"}.get(participant, participant)
        return tuple(f"{prefix}-{number}" for number in range(1, count + 1) if f"{prefix}-{number}" in PEOPLE)

    def owner(self, name: AccountId) -> str:
        found = self.book.state.get(ACCOUNTS, name)
        return "aix-one" if found is None else found.owner

    # --- what must hold of each entry -----------------------------------------------------------------------

    def check(self, kind: str, outcome: Accepted, tariff: dict[str, int]) -> None:
        """Look at each entry: who was debited, who was credited, and for what."""
        for entry in _posted(outcome):
            sides = {side: [each for each in entry.postings if each.side is side] for side in Side}
            debits, credits = sides[Side.DEBIT], sides[Side.CREDIT]
            for posting in (*debits, *credits):
                self.note(kind, posting)
            if any(self.is_clients(each) for each in debits):
                assert kind in DEBITS, f"{kind} took from a client"
                self.check_credits(kind, entry, credits)
        if kind in SALES:
            self.check_fee(outcome, tariff)

    def note(self, kind: str, posting: Posting) -> None:
        """What a client has changes for a purpose that has a name, or the test fails."""
        found = self.account(posting)
        if not self.is_clients(posting):
            return
        assert kind in DEBITS or (posting.side is Side.CREDIT and kind in CREDITS), f"{kind} is no purpose"
        change = posting.amount if posting.side is Side.CREDIT else -posting.amount
        self.holdings[found.owner, found.holder or "", found.asset] += change

    def check_credits(self, kind: str, entry: Entry, credits: Iterable[Posting]) -> None:
        """Nothing of a client's reaches the house, nor an affiliate but by a sale, nor anybody else but by name."""
        for posting in credits:
            found = self.account(posting)
            match found.account_class:
                case "house":
                    raise AssertionError(f"{kind} reached the house")
                case "fee":
                    assert kind in SALES
                case "own":
                    owner = self.book.state.get(PARTICIPANTS, found.owner)
                    assert owner is not None
                    assert owner.role is not Role.EXCHANGE, f"{kind} reached an exchange's own account"
                    assert kind == "court_order_debit" or (kind in TAXED and posting.account in self.payees())
                case "affiliate_client":
                    assert kind in (*SALES, "dvp_reverse")
                case "tax_escrow":
                    is_confirmed = self.book.state.get(TAX_ACCOUNTS, posting.account) is not None
                    assert kind == "court_order_debit" or (kind in TAXED and is_confirmed)
                case "wallet":
                    is_payee = kind in TAXED and posting.account in self.payees()
                    assert kind in ("client_return", "winddown_pay", "court_order_debit") or is_payee
                case "contra":
                    assert kind == "custody_debit"
                case other:
                    assert other in ("client_segregated", "miner_proceeds")
                    assert kind in (*SALES, "dvp_reverse", "court_order_debit")
        if kind in SALES:
            hidden = {each.account for each in entry.postings if self.account(each).holder == "hidden"}
            assert not hidden, "who belongs to the exchange trades as an affiliate or not at all"

    def check_fee(self, outcome: Accepted, tariff: dict[str, int]) -> None:
        fees: Counter[str] = Counter()
        paid: Counter[str] = Counter()
        for entry in _posted(outcome):
            for each in entry.postings:
                if each.asset == TENGE:
                    found = self.account(each)
                    fees[found.owner] += each.amount if found.account_class == "fee" else 0
                    paid[found.owner] += each.amount if each.side is Side.DEBIT else 0
        gross = (outcome.record or {}).get("gross")
        for exchange, fee in fees.items():
            assert fee <= fee_limit(gross or paid[exchange], tariff.get(exchange, 0))

    def check_holdings(self) -> None:
        """What each client holds is what was recognised."""
        held = self.counted()
        assert {key: amount for key, amount in self.holdings.items() if amount} == {
            key: amount for key, amount in held.items() if amount
        }

    # --- what there is --------------------------------------------------------------------------------------

    def account(self, posting: Posting) -> Account:
        found = self.book.state.get(ACCOUNTS, posting.account)
        assert found is not None
        return found

    def is_clients(self, posting: Posting) -> bool:
        found = RULEBOOK.classes.get(self.account(posting).account_class)
        return found is not None and found.is_client

    def payees(self) -> set[str]:
        return {name for name, _ in self.book.state.items(PAYEES)}

    def counted(self) -> Counter[tuple[str, str, str]]:
        found: Counter[tuple[str, str, str]] = Counter()
        for name, each in self.book.state.items(ACCOUNTS):
            account_class = RULEBOOK.classes.get(each.account_class)
            if account_class is not None and account_class.is_client:
                found[each.owner, each.holder or "", each.asset] += self.book.balance(AccountId(name))
        return found

    def consent(self, side: str, who: str) -> EmbeddedJws:
        """A client agrees to anything."""
        members: dict[str, Any] = {"maximum": 10**15, "nonce": nonce(str(self.book.height), side + who)}
        if side == "sell":
            return sell_mandate(self.book, HOLDERS[who], account=account(f"{who}BTC"), limit_price=1, **members)
        return buy_mandate(self.book, HOLDERS[who], account=account(f"{who}KZT"), limit_price=10**15, **members)

    def mandates(self) -> tuple[EmbeddedJws, ...]:
        return (self.consent("sell", "M"), self.consent("buy", "A"))

    def things(self) -> Things:
        """What exists now, for bodies made at random."""
        state = self.book.state
        accounts = sorted(name for name, _ in state.items(ACCOUNTS))
        keys = [key_of(name).public for name in ("newcomer", holder_key("client-a"), "aix-one-2")]
        return Things(
            {
                AccountField: [*accounts, account("NEW"), account("NEW2")],
                ParticipantField: sorted(each for each, _ in state.items(PARTICIPANTS)),
                KindField: sorted(RULEBOOK.kinds),
                AssetField: ["KZT", "KZT", "BTC:aix-one", "BTC:aix-two"],
                CoinField: ["BTC", "ETH"],
                DigestField: [*(key.x for key in keys), *(key.kid for key in keys), commitment("x")],
                DateField: ["2024-12-27", "2024-12-28", "2025-01-31", "2024-12-23"],
                LabelField: [*(self.trades[-3:] or ["T-0"]), "client-a", "hidden", "affiliate", "holder-1", "L-1", "1"],
            },
            others=(
                "order-1",
                "client-a",
                "client_segregated",
                "affiliate_client",
                "tax_escrow",
                "house",
                "801",
                "899",
                "123456789013",
                f"{'cd' * 32}:1",
                "aix-one/client-a",
                "aix-one/T-0",
                "group:steppe",
                "2024-Q4",
                "A" * 86,
                "A" * 43,
                "newcomer",
            ),
            numbers=(1, 2, 100, 2_000, 1_000_000, BTC, self.book.time_us, self.book.time_us + 1_000_000),
        )


def _posted(outcome: Accepted) -> list[Entry]:
    """The entries that were posted: of a bulk that is not atomic, not all are."""
    return [entry for line, entry in enumerate(outcome.all_entries()) if line not in outcome.refused_lines]
