"""Value at receipt, and no other: both sides of a ratio are valued by the lot, so that they cannot be mixed.

Taking what was produced at its value on the day of distribution and what was sold at the price of its sale makes a
ratio that grows with the price. No function here reads a price of a sale, and :class:`ReceiptTiyn` is made here only.
"""

from typing import NewType

from settlement.model.production import ProductionLot
from settlement.model.quota_policies import RatePolicy
from settlement.quota.lots import obligation

ReceiptTiyn = NewType("ReceiptTiyn", int)
"""Tiyn at the published price of the day of distribution."""


def value_at_receipt(lot: ProductionLot, quantity: int) -> ReceiptTiyn:
    """Return the value of a part of a lot, rounded up as the obligation is: who meets one by quantity meets its value.

    The value of the whole lot is its receipt value; of no part it is more.
    """
    return ReceiptTiyn(-(-lot.receipt_value * quantity // lot.quantity))


def obligation_at_receipt(lot: ProductionLot, policy: RatePolicy) -> ReceiptTiyn:
    """Return the value of a lot that must be sold, rounded up."""
    return ReceiptTiyn(obligation(lot.receipt_value, policy))
