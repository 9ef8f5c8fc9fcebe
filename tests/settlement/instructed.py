"""Instructed sales in the market of ``tests.settlement.market``: said by both sides, set aside, settled.

The defaults are the sale of ``market.sale``: the miner sells 0.01 BTC to client-a, with a fee of 0.2 per cent.
"""

import uuid
from typing import Any

from ledger.model.outcome import Outcome
from ledger.model.transactions import EmbeddedJws
from ledger.rules.accounts import AccountFreeze
from ledger.units import BusinessDate, ParticipantId, TimestampUs
from settlement.model.instructions import Charges, Fail, Instruction, Terms
from settlement.rules.completion import DvpComplete
from settlement.rules.custody import CustodyDebit
from settlement.rules.instructions import DvpCancel, DvpInstruct
from settlement.rules.netting import DvpBatch
from settlement.rules.reversals import DvpReverse
from settlement.rules.segregation import ClientReturn
from settlement.rules.set_aside import DvpAllocate
from settlement.rules.settlement_fails import DvpRelease
from settlement.rules.settlement_settings import TaxAccountConfirm
from settlement.rules.tables import FAILS, INSTRUCTIONS, RESERVED
from settlement.rules.tariff import TariffSet
from tests.book import Book, own_account, wallet
from tests.settlement.market import (
    BTC,
    PRICE,
    accepted,
    account,
    buy_mandate,
    commitment,
    fund,
    holder_key,
    sell_mandate,
)

HOUR_US = 3_600_000_000
AMOUNT = 48_775_361
"""What 0.01 BTC costs, in tiyn."""

FEE = 97_550
QUANTITY = BTC // 100
EXCHANGE = ParticipantId("aix-one")
MIDNIGHT_US = 1_735_239_600_000_000
"""The start of 27 December 2024 in Kazakhstan."""


def terms(book: Book, **members: Any) -> Terms:
    """What both sides say."""
    whole: dict[str, Any] = {
        "coin": "BTC",
        "quantity": QUANTITY,
        "price": PRICE,
        "seller_coin": account("MBTC"),
        "seller_tenge": account("MKZT"),
        "buyer_tenge": account("AKZT"),
        "buyer_coin": account("ABTC"),
        "settlement_date": BusinessDate("2024-12-27"),
        "reference_price": PRICE,
        "reference_date": BusinessDate("2024-12-23"),
        "executed_us": TimestampUs(book.time_us - 60_000_000),
    } | members
    return Terms(**whole)


def seller_says(
    book: Book,
    trade: str,
    agreed: Terms,
    *,
    charges: Charges | None = None,
    mandate: EmbeddedJws | None = None,
) -> Outcome:
    """The exchange instructs the seller's side."""
    consent = mandate or sell_mandate(book, nonce=nonce(trade, "s"))
    fee = agreed.quantity * FEE // QUANTITY
    usual = Charges(fee=fee, fee_account=account("FEE") if fee else None)
    body = DvpInstruct(trade=trade, side="seller", terms=agreed, mandate=consent, charges=charges or usual)
    return book.submit("dvp_instruct", body, by="aix-one")


def buyer_says(
    book: Book, trade: str, agreed: Terms, *, mandate: EmbeddedJws | None = None, charges: Charges | None = None
) -> Outcome:
    """The exchange instructs the buyer's side."""
    consent = mandate or buy_mandate(book, nonce=nonce(trade, "b"))
    body = DvpInstruct(trade=trade, side="buyer", terms=agreed, mandate=consent, charges=charges)
    return book.submit("dvp_instruct", body, by="aix-one")


def nonce(trade: str, side: str) -> str:
    """Twenty-two characters of a trade and side."""
    return uuid.uuid5(uuid.NAMESPACE_OID, trade + side).hex[:22]


def match(book: Book, trade: str = "T-1", agreed: Terms | None = None, **seller: Any) -> Terms:
    """Both sides say the same."""
    agreed = agreed or terms(book)
    accepted(seller_says(book, trade, agreed, **seller))
    accepted(buyer_says(book, trade, agreed))
    return agreed


def allocate(book: Book, trade: str = "T-1", **members: Any) -> Outcome:
    """Set aside for an hour."""
    body = DvpAllocate(trade=trade, **({"deadline_us": TimestampUs(book.time_us + HOUR_US)} | members))
    return book.submit("dvp_allocate", body, by="aix-one")


def complete(book: Book, trade: str = "T-1") -> Outcome:
    """Settle what is set aside."""
    return book.submit("dvp_complete", DvpComplete(trade=trade), by="aix-one")


def settled(book: Book, trade: str = "T-1", agreed: Terms | None = None, **seller: Any) -> Terms:
    """A sale from its instruction to its end."""
    agreed = match(book, trade, agreed, **seller)
    accepted(allocate(book, trade))
    accepted(complete(book, trade))
    return agreed


def batch(book: Book, *trades: str) -> Outcome:
    """Settle many at once."""
    return book.submit("dvp_batch", DvpBatch(trades=trades), by="aix-one")


def cancel(book: Book, trade: str = "T-1", *signers: str, exchange: ParticipantId = EXCHANGE) -> str:
    """Cancel; by default with both holders."""
    names = signers or ("aix-one-1", holder_key("miner-one"), holder_key("client-a"))
    return book.end("dvp_cancel", DvpCancel(exchange=exchange, trade=trade), by="aix-one", signers=names)


def release(book: Book, trade: str = "T-1", *, by: str = "bank-b") -> Outcome:
    """Anybody releases."""
    return book.submit("dvp_release", DvpRelease(exchange=EXCHANGE, trade=trade), by=by)


def reverse(book: Book, trade: str = "T-1", *signers: str, **members: Any) -> str:
    """Move a sale back; by default all of it, with both holders."""
    whole: dict[str, Any] = {
        "exchange": EXCHANGE,
        "trade": trade,
        "quantity": QUANTITY,
        "reason": "case-7",
    } | members
    names = signers or ("aix-one-1", holder_key("miner-one"), holder_key("client-a"))
    return book.end("dvp_reverse", DvpReverse(**whole), by="aix-one", signers=names)


def take_out(book: Book, amount: int) -> Outcome:
    """client-a takes tenge home."""
    body = ClientReturn(account=account("AKZT"), credit=wallet("601", 1), holder="holder-1", amount=amount)
    return book.submit("client_return", body, by="aix-one", signers=("aix-one-1", holder_key("client-a"), "bank-a-1"))


def withdraw(book: Book, name: str, holder: str, amount: int) -> Outcome:
    """A holder takes coins to its own wallet."""
    body = CustodyDebit(
        account=account(name), amount=amount, withdrawal=f"W-{book.height}", destination=commitment("wallet")
    )
    return book.submit("custody_debit", body, by="aix-one", signers=("aix-one-1", holder_key(holder)))


def enrich(book: Book, name: str, amount: int) -> None:
    """New tenge is issued and comes to a client."""
    accepted(book.issue("bank-a", own_account("601"), amount))
    fund(book, name, amount)


def instruction(book: Book, trade: str = "T-1") -> Instruction:
    """The sale as the state has it."""
    found = book.state.get(INSTRUCTIONS, f"aix-one/{trade}")
    assert found is not None
    return found


def reserved(book: Book, name: str) -> int:
    """What is set aside of an account."""
    return book.state.get(RESERVED, account(name)) or 0


def pass_time(book: Book, by_us: int) -> None:
    """Nothing happens for a while."""
    book.time_us += by_us


def freeze(book: Book, name: str) -> None:
    """The ministry freezes an account."""
    accepted(book.submit("account_freeze", AccountFreeze(account=account(name), reason="order-3"), by="ministry"))


def post_tariff(book: Book, fee_ppm: int) -> None:
    """Another fee, from the next business day."""
    accepted(book.submit("tariff_set", TariffSet(fee_ppm=fee_ppm), by="aix-one"))


def open_escrow(book: Book) -> None:
    """An escrow account at the exchange, bound to the tax authority's key and confirmed by it."""
    opened = book.open_account(
        "aix-one", account("TAX"), account_class="tax_escrow", holder="treasury", holder_key="treasury"
    )
    accepted(opened)
    assert confirm_tax(book, "TAX") == "accepted"


def confirm_tax(book: Book, name: str) -> str:
    """The tax authority confirms an account as its own."""
    body = TaxAccountConfirm(account=account(name))
    return book.end("tax_account_confirm", body, by="ministry", signers=("ministry-1", "ministry-2"))


def fail_of(book: Book, trade: str = "T-1") -> Fail:
    """The fail of a sale."""
    fail = book.state.get(FAILS, f"aix-one/{trade}")
    assert fail is not None
    return fail
