"""The FTX pattern as a scenario: five payments of client money, tried by every way an exchange has.

The payments are those of a complaint that the FTX Recovery Trust filed on 22 September 2025 (Adv. 25-52358): money that
it says was customers', paid to owners of mines and to persons behind them as an investment. They are allegations. The
amounts are in US dollars and are tried here as tenge, cent for tiyn: it is the pattern that counts.

Each attempt says which signatures it can obtain and by which rule it must be refused. The exchange's own signature and,
where it helps, the client's are always there: an exchange may have made its clients' keys itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ledger.model.assets import TENGE
from ledger.model.journal import Posting, Side
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.transfers import JournalEntry, Transfer
from ledger.units import AccountId, BusinessDate, ParticipantId
from settlement.model.trades import tenge_amount
from settlement.rules.court_orders import CourtOrderDebit
from settlement.rules.custody import CustodyCredit, CustodyDebit
from settlement.rules.dvp import DvpSettle
from settlement.rules.segregation import ClientReturn
from settlement.rules.winddown import WinddownPay

ABSURD_PARTS: Final = 1_000
"""A payment dressed up as a purchase buys one part in so many of a coin."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment of the complaint."""

    date: BusinessDate
    to: str
    cents: int


PAYMENTS: Final = (
    Payment(BusinessDate("2021-10-05"), "owner of mines", 10_000_000_032),
    Payment(BusinessDate("2022-02-01"), "first founder", 47_000_566_077),
    Payment(BusinessDate("2022-02-01"), "second founder", 8_092_812_702),
    Payment(BusinessDate("2022-02-28"), "owner of mines", 25_000_000_000),
    Payment(BusinessDate("2022-04-13"), "owner of mines", 25_000_000_000),
)
"""In order of date."""

TOTAL_CENTS: Final = 115_093_378_811
"""Their sum: 1,150,933,788.11."""

assert sum(payment.cents for payment in PAYMENTS) == TOTAL_CENTS, "the payments add up"


class Signer(StrEnum):
    """Whose signature an attempt obtains besides the exchange's."""

    CLIENT = "client"
    """The key that the client's accounts are bound to."""
    BANK = "bank"
    """The bank that keeps the wallet."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the pattern is tried: accounts of one exchange, and how it makes a sale."""

    exchange: ParticipantId
    client_tenge: AccountId
    """Bound to the client's key; holds all that is to be taken."""
    client_coin: AccountId
    other_client: AccountId
    """Tenge of somebody else."""
    affiliate_tenge: AccountId
    affiliate_coin: AccountId
    house: AccountId
    house_coin: AccountId
    fee: AccountId
    escrow: AccountId
    """Tenge, of class tax_escrow."""
    wallet: AccountId
    """Tenge of the founder, at a bank."""
    client_at_bank: str
    """What the bank calls the client, whose wallet that is not."""
    coin_scale: int
    sale: Callable[[int, int, int], DvpSettle]
    """A purchase by the client from the affiliate with both their consents, of a quantity at a price with a fee."""
    fair_price: int
    """Tiyn for one whole coin, within the consents."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to take client money, and the rule that refuses it."""

    way: str
    kind: str
    body: Any
    refused_by: str
    """Code of the refusal, or of the problem where it is not even decided."""
    signers: tuple[Signer, ...] = ()


def attempts(stage: Stage, payment: Payment, number: int) -> tuple[Attempt, ...]:
    """Return every way to make one payment out of client money.

    Args:
        stage: where.
        payment: which.
        number: makes references of this payment differ from those of others.
    """
    return (*_plain(stage, payment), *_dressed_as_sale(stage, payment), *_dressed_as_custody(stage, payment, number))


def _plain(stage: Stage, payment: Payment) -> Iterator[Attempt]:
    """Payments under their own name, to each who was paid or could pass it on."""
    client, amount = stage.client_tenge, payment.cents
    for way, credit, code in (
        ("to the house", stage.house, "client_money_to_house"),
        ("to the fee account", stage.fee, "client_money_to_house"),
        ("to the affiliate, as a loan", stage.affiliate_tenge, "client_money_to_affiliate"),
        ("by way of another client", stage.other_client, "client_money_purpose"),
        ("by way of the tax escrow", stage.escrow, "client_money_purpose"),
        ("to the founder, as an investment", stage.wallet, "client_money_purpose"),
    ):
        body = Transfer(debit=client, credit=credit, asset=TENGE, amount=amount)
        yield Attempt(f"transfer {way}", "transfer", body, code, (Signer.CLIENT,))
        legs = (
            Posting(account=client, asset=TENGE, amount=amount, side=Side.DEBIT),
            Posting(account=credit, asset=TENGE, amount=amount, side=Side.CREDIT),
        )
        entry = JournalEntry(postings=legs)
        yield Attempt(f"journal entry {way}", "journal_entry", entry, "client_account_needs_own_kind")
        line = Line(debit=client, credit=credit, amount=amount, label="1")
        bulk = BulkTransfer(asset=TENGE, is_atomic=True, lines=(line,))
        yield Attempt(f"bulk {way}", "bulk_transfer", bulk, "client_account_needs_own_kind")
    yield Attempt(
        "return to the founder's wallet under the client's name",
        "client_return",
        ClientReturn(account=client, credit=stage.wallet, holder=stage.client_at_bank, amount=amount),
        "return_holder_differs",
        (Signer.CLIENT, Signer.BANK),
    )
    yield Attempt(
        "an order that no court gave",
        "court_order_debit",
        CourtOrderDebit(account=client, credit=stage.wallet, amount=amount, order="order-0", ordered=amount),
        "kind_not_permitted",
    )
    yield Attempt(
        "a wind-down that nobody opened",
        "winddown_pay",
        WinddownPay(
            exchange=stage.exchange,
            account=client,
            credit=stage.wallet,
            holder=stage.client_at_bank,
            amount=amount,
            order="order-0",
        ),
        "kind_not_permitted",
    )


def _dressed_as_sale(stage: Stage, payment: Payment) -> Iterator[Attempt]:
    """Payments dressed up as a purchase from the affiliate, or as a fee."""
    whole = 10**stage.coin_scale
    quantity = whole // ABSURD_PARTS
    absurd = payment.cents * ABSURD_PARTS
    assert tenge_amount(quantity, absurd, stage.coin_scale) == payment.cents, "it costs the payment"
    yield Attempt(
        "a thousandth of a coin, bought from the affiliate for all of it",
        "dvp_settle",
        stage.sale(quantity, absurd, 0),
        "mandate_price_outside",
    )
    yield Attempt(
        "coins bought from the affiliate that it does not have",
        "dvp_settle",
        stage.sale(payment.cents * whole // stage.fair_price, stage.fair_price, 0),
        "insufficient_funds",
    )
    yield Attempt(
        "the fee of a small purchase",
        "dvp_settle",
        stage.sale(quantity, stage.fair_price, payment.cents),
        "fee_above_tariff",
    )


def _dressed_as_custody(stage: Stage, payment: Payment, number: int) -> Iterator[Attempt]:
    """Coins from nothing, to sell to clients; a client's coins sent elsewhere."""
    made_up = payment.cents * ABSURD_PARTS
    for way, account, code in (
        ("for the affiliate", stage.affiliate_coin, "reserve_exceeded"),
        ("for the house", stage.house_coin, "custody_to_house"),
    ):
        body = CustodyCredit(account=account, amount=made_up, deposit=f"F-{number}-{code}")
        yield Attempt(f"coins from nothing {way}", "custody_credit", body, code)
    sent = CustodyDebit(account=stage.client_coin, amount=1, withdrawal=f"F-{number}", destination="A" * 43)
    yield Attempt("a client's coins sent elsewhere", "custody_debit", sent, "signatures_insufficient")
