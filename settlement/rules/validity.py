"""Was it valid at that moment? One answer for each register, from the histories in the state.

What the state holds is what is known now: a change registered later, for an earlier moment, changes the answer for
that moment. The whole register as of a moment, with a digest, is :mod:`settlement.rules.register_snapshot`.
"""

from ledger.state import View
from ledger.units import TimestampUs
from settlement.model.intervals import Status, contains
from settlement.model.registers import Register
from settlement.rules.registry import REGISTERS


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
