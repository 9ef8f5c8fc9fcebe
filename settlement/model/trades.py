"""Settled sales, and the claim that a miner's sale makes on its quota."""

from typing import Final

from ledger.model.record import Record
from ledger.units import AmountField, DateField, DigestField, ParticipantField, TimestampField, TotalField
from settlement.model.registers import CoinField

TRADE_AMOUNT_MIN: Final = 100
"""Least amount of a sale, in tiyn: one tenge. Rounding down takes less than a tiyn, so less than one per cent."""


class QuotaClaim(Record, frozen=True, kw_only=True):
    """A miner's sale, settled on this ledger; keyed ``<exchange>/<trade>``, so that no trade counts twice."""

    miner: ParticipantField
    coin: CoinField
    quantity: AmountField
    """What the buyer received, in the coin's smallest unit."""
    executed_us: TimestampField
    executed_on: DateField
    """The local date in Kazakhstan: a lot younger than this cannot cover the sale."""
    settled_us: TimestampField
    """When both legs were final."""
    price: AmountField
    """Tiyn for one whole coin."""
    amount: AmountField
    """Tiyn paid, the fee included."""
    fee: TotalField
    reference_price: AmountField
    reference_date: DateField
    transaction: DigestField


def tenge_amount(quantity: int, price: int, scale: int) -> int:
    """Return what a quantity costs, in tiyn, rounded down: a buyer never pays above the agreed price.

    Args:
        quantity: in the coin's smallest unit.
        price: tiyn for one whole coin.
        scale: decimal places of the coin.
    """
    return int(quantity * price // 10**scale)


def price_received(amount: int, quantity: int, scale: int) -> int:
    """Return what a rounded amount comes to, in tiyn for one whole coin, rounded down.

    Args:
        amount: tiyn paid for the quantity.
        quantity: in the coin's smallest unit.
        scale: decimal places of the coin.
    """
    return int(amount * 10**scale // quantity)
