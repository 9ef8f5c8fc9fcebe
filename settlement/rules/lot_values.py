"""The value of a lot by the published price of the date of receipt, beside the one its pool reported."""

from ledger.state import View
from settlement.model.production import ProductionLot
from settlement.model.production_statement import ROUNDING_TIYN, LotValue, ValueState
from settlement.model.trades import tenge_amount
from settlement.rules.prices import price_on, was_listed
from settlement.rules.tables import COINS


def lot_value(view: View, lot: ProductionLot) -> LotValue:
    """Return what a lot was worth on the local date of its distribution."""
    coin = view.get(COINS, lot.coin)
    assert coin is not None, "a row of an unknown coin was refused"
    price = price_on(view, lot.coin, lot.distributed_on)
    if price is None:
        is_listed = was_listed(view, lot.coin, lot.distributed_us)
        state = ValueState.PRICE_MISSING if is_listed else ValueState.NOT_LISTED
        return LotValue(state=state, reported=lot.receipt_value)
    published = tenge_amount(lot.quantity, price.price, coin.scale)
    agrees = abs(published - lot.receipt_value) <= ROUNDING_TIYN
    return LotValue(
        state=ValueState.AGREES if agrees else ValueState.DIFFERS,
        reported=lot.receipt_value,
        published=published,
        price=price,
    )
