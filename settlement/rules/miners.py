"""Miners, their licences, and the accounts at exchanges that they confirm as their own.

An exchange opens an account of class ``miner_proceeds`` with the miner's participant id as its holder; only after the
miner itself has confirmed it do sales from it count towards the miner's quota. So an exchange cannot make claims in a
miner's name.
"""

from typing import Final

import msgspec

from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, THE, UTC_OFFSETS
from ledger.state import View
from ledger.units import AccountField, DateField, DigestField, LabelField, ParticipantField, TimestampUs
from settlement.model.identifiers import BinField, has_valid_check_digit
from settlement.model.intervals import Interval, Status, was_active
from settlement.model.local_time import calendar_date, start_of, years_later
from settlement.model.registers import Licence, Miner, Subtype
from settlement.rules.classes import MINER_PROCEEDS
from settlement.rules.registry import GRANT_REFUSALS, PARTICIPANT_ROLE_DIFFERS, grant, refuse_role
from settlement.rules.tables import BINS, LICENCES, MINER_ACCOUNTS, MINER_LICENCES, MINERS

LICENCE_YEARS: Final = 3
"""Life of a mining licence of either subtype (Law No. 193-VII, art. 9)."""

LICENCES_PER_MINER_MAX: Final = 64
"""Most licences of one miner: decades of renewals for several sites, and each sale looks through all of them."""


class RegistryMiner(Record, frozen=True, kw_only=True):
    """Register a digital miner, by BIN or by committed IIN."""

    miner: ParticipantField
    name: DigestField
    """Commitment to its name."""
    bin: BinField | None = None
    iin: DigestField | None = None
    """Commitment to the IIN of an individual."""


class RegistryLicence(Record, frozen=True, kw_only=True):
    """Register a mining licence. It holds from the start of the local date of issue, for three years."""

    licence: LabelField
    """Number of the licence."""
    miner: ParticipantField
    subtype: Subtype
    issued: DateField
    expires: DateField | None = None
    """First local date it no longer holds, where the register names an earlier one than three years on."""


class MinerAccountConfirm(Record, frozen=True, kw_only=True):
    """The miner confirms that an account at an exchange is its own."""

    account: AccountField


MINER_REGISTERED = RefusalCode("miner_registered", "The miner is registered.")
MINER_IDENTITY_UNCLEAR = RefusalCode("miner_identity_unclear", "A miner has a BIN or an IIN, one of the two.")
BIN_CHECK_DIGIT_WRONG = RefusalCode("bin_check_digit_wrong", "The check digit of the BIN is wrong.")
BIN_TAKEN = RefusalCode("bin_taken", "The BIN belongs to another miner.")
MINER_UNKNOWN = RefusalCode("miner_unknown", "No miner of this id is registered.")
LICENCE_DATE_INVALID = RefusalCode("licence_date_invalid", "The date does not exist in the calendar.")
LICENCE_TERM_WRONG = RefusalCode("licence_term_wrong", "A licence ends after its issue and within three years of it.")
LICENCES_TOO_MANY = RefusalCode("licences_too_many", "The miner has no room for another licence.")
MINER_ACCOUNT_UNFIT = RefusalCode(
    "miner_account_unfit", "No account of class miner_proceeds names the sender as its holder under this id."
)
MINER_ACCOUNT_CONFIRMED = RefusalCode("miner_account_confirmed", "The account was confirmed before.")


def has_licence(view: View, miner: str, moment: TimestampUs) -> bool:
    """Whether any licence of a miner was active at a moment."""
    licences = (view.get(LICENCES, number) for number in view.get(MINER_LICENCES, miner) or ())
    return any(licence is not None and was_active(licence.history, moment) for licence in licences)


def _miner(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryMiner = submitted.signed.body
    if refused := refuse_role(view, body.miner, Role.MINER):
        return refused
    if view.get(MINERS, body.miner) is not None:
        return Refused(MINER_REGISTERED, detail=f"miner {body.miner}")
    if (body.bin is None) == (body.iin is None):
        return Refused(MINER_IDENTITY_UNCLEAR, detail="expected bin or iin, and not both")
    miner = Miner(name=body.name, bin=body.bin, iin=body.iin)
    if body.bin is None:
        return Proposal(changes=((MINERS, body.miner, miner),), record={})
    if not has_valid_check_digit(body.bin):
        return Refused(BIN_CHECK_DIGIT_WRONG, detail=f"BIN {body.bin}")
    if (other := view.get(BINS, body.bin)) is not None:
        return Refused(BIN_TAKEN, detail=f"BIN {body.bin} belongs to {other}")
    return Proposal(changes=((MINERS, body.miner, miner), (BINS, body.bin, body.miner)), record={})


def _licence(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryLicence = submitted.signed.body
    if view.get(MINERS, body.miner) is None:
        return Refused(MINER_UNKNOWN, detail=f"miner {body.miner}")
    issued = calendar_date(body.issued)
    last = None if issued is None else years_later(issued, LICENCE_YEARS)
    expires = last if body.expires is None else calendar_date(body.expires)
    if issued is None or last is None or expires is None:
        return Refused(LICENCE_DATE_INVALID, detail=f"issued {body.issued}, expires {body.expires}")
    if not issued < expires <= last:
        return Refused(LICENCE_TERM_WRONG, detail=f"expected an end after {issued} and until {last}, got {expires}")
    offsets = view.get(UTC_OFFSETS, THE)
    assert offsets is not None, "genesis writes the offsets"
    interval = Interval(status=Status.ACTIVE, from_us=start_of(offsets, issued), until_us=start_of(offsets, expires))
    licence = Licence(miner=body.miner, subtype=body.subtype, issued=body.issued, history=(interval,))
    granted = grant(view, LICENCES, body.licence, licence)
    numbers = view.get(MINER_LICENCES, body.miner) or ()
    if isinstance(granted, Refused) or body.licence in numbers:
        return granted
    if len(numbers) == LICENCES_PER_MINER_MAX:
        return Refused(LICENCES_TOO_MANY, detail=f"miner {body.miner} has {len(numbers)} licences")
    return msgspec.structs.replace(
        granted, changes=(*granted.changes, (MINER_LICENCES, body.miner, (*numbers, body.licence)))
    )


def _confirm(view: View, submitted: Submitted) -> Proposal | Refused:
    body: MinerAccountConfirm = submitted.signed.body
    miner = submitted.signed.transaction.participant
    if view.get(MINERS, miner) is None:
        return Refused(MINER_UNKNOWN, detail=f"miner {miner}")
    account = view.get(ACCOUNTS, body.account)
    if account is None or account.account_class != MINER_PROCEEDS.name or account.holder != miner:
        return Refused(MINER_ACCOUNT_UNFIT, detail=f"account {body.account}")
    if view.get(MINER_ACCOUNTS, body.account) is not None:
        return Refused(MINER_ACCOUNT_CONFIRMED, detail=f"account {body.account}")
    return Proposal(changes=((MINER_ACCOUNTS, body.account, miner),), record={})


MODULE = RuleModule(
    name="miners",
    meaning="Digital miners and their licences.",
    tables=(MINERS, BINS, LICENCES, MINER_LICENCES, MINER_ACCOUNTS),
    kinds=(
        Kind(
            name="registry_miner",
            body=RegistryMiner,
            meaning="Register a digital miner.",
            refusals=(
                PARTICIPANT_ROLE_DIFFERS,
                MINER_REGISTERED,
                MINER_IDENTITY_UNCLEAR,
                BIN_CHECK_DIGIT_WRONG,
                BIN_TAKEN,
            ),
            decide=_miner,
        ),
        Kind(
            name="registry_licence",
            body=RegistryLicence,
            meaning="Register a mining licence for three years.",
            refusals=(MINER_UNKNOWN, LICENCE_DATE_INVALID, LICENCE_TERM_WRONG, *GRANT_REFUSALS, LICENCES_TOO_MANY),
            decide=_licence,
        ),
        Kind(
            name="miner_account_confirm",
            body=MinerAccountConfirm,
            meaning="Confirm an account at an exchange as the miner's own.",
            refusals=(MINER_UNKNOWN, MINER_ACCOUNT_UNFIT, MINER_ACCOUNT_CONFIRMED),
            decide=_confirm,
        ),
    ),
)
