"""Production statements, computed from the ledger's state in the moment they are asked for."""

from ledger.state import View
from ledger.units import BusinessDate, ParticipantId
from settlement.model.production import LotState
from settlement.model.production_statement import ProducedLot, ProductionStatement, ValueState
from settlement.rules.lot_values import lot_value
from settlement.rules.tables import LOTS


def production_statement(view: View, miner: ParticipantId, coin: str, *, as_of: BusinessDate) -> ProductionStatement:
    """Return what a miner produced of a coin up to a local date.

    A miner or coin nobody knows has an empty statement.
    """
    lots = sorted(
        (
            ProducedLot(
                lot=key,
                state=lot.state,
                distributed_us=lot.distributed_us,
                distributed_on=lot.distributed_on,
                quantity=lot.quantity,
                licence=lot.licence,
                value=lot_value(view, lot),
                supersedes=lot.supersedes,
                superseded_by=lot.superseded_by,
            )
            for key, lot in view.group(LOTS, miner)
            if lot.coin == coin and lot.distributed_on <= as_of
        ),
        key=lambda line: (line.distributed_us, line.lot),
    )
    standing = [line for line in lots if line.state is not LotState.CORRECTED]
    return ProductionStatement(
        miner=miner,
        coin=coin,
        as_of=as_of,
        produced=_quantity(lots, LotState.OPEN),
        unlicensed=_quantity(lots, LotState.UNLICENSED),
        corrected=_quantity(lots, LotState.CORRECTED),
        value_reported=sum(line.value.reported for line in standing),
        value_published=sum(line.value.published or 0 for line in standing),
        unvalued=sum(line.value.published is None for line in standing),
        differing=sum(line.value.state is ValueState.DIFFERS for line in standing),
        lots=tuple(lots),
    )


def _quantity(lots: list[ProducedLot], state: LotState) -> int:
    return sum(line.quantity for line in lots if line.state is state)
