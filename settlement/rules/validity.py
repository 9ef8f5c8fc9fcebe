"""Was it valid at that moment? One answer for each register, from the histories in the state.

What the state holds is what is known now: a change registered later, for an earlier moment, changes the answer for
that moment. What a sale relied on when it was settled is named by :mod:`settlement.rules.register_snapshot`.
"""

from ledger.state import View
from ledger.units import ParticipantId, TimestampUs
from settlement.model.intervals import Status, contains
from settlement.model.registers import Activity, Register
from settlement.rules.registry import REGISTERS
from settlement.rules.tables import EXCHANGE_PERMISSIONS, PERMISSIONS


def status_at(view: View, register: Register, subject: str, moment: TimestampUs) -> Status | None:
    """Return what a register says of a subject at a moment; None before, between and after its intervals, or of nobody.

    Args:
        view: the state.
        register: which one.
        subject: participant id of an exchange or pool, symbol of a listed coin, else the number.
        moment: microseconds since 1970-01-01T00:00:00Z.
    """
    row = view.get(REGISTERS[register], subject)
    history = () if row is None else row.history
    return next((interval.status for interval in history if contains(interval, moment)), None)


def was_valid(view: View, register: Register, subject: str, moment: TimestampUs) -> bool:
    """Whether a subject was active in a register at a moment."""
    return status_at(view, register, subject, moment) is Status.ACTIVE


def was_permitted(view: View, exchange: ParticipantId, activity: Activity, moment: TimestampUs) -> bool:
    """Whether an exchange held an active permission for an activity at a moment."""
    for number in view.get(EXCHANGE_PERMISSIONS, exchange) or ():
        permission = view.get(PERMISSIONS, number)
        assert permission is not None, "the index is written with the permission"
        if permission.activity is activity and was_valid(view, Register.PERMISSION, number, moment):
            return True
    return False
