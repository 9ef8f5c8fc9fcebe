"""Wind-down: an exchange that lost its licence is run off by an administrator, and its clients get their money.

A return to the same owner takes the exchange's signature (``client_return``). An exchange that is suspended as a
participant, or whose people are gone, gives none, and its clients cannot leave. A wind-down closes that gap: two
signatories of the administrator sign in place of the exchange. A supervisor opens it, and only while the exchange is
not active; from then on nothing new is traded, even if the licence came back (``coins.refuse_venue``).

The queue runs off under an order (``venue_run_off``), or is unwound: what was set aside is released before its time.

What the administrator may do is narrow: tenge of a client to a wallet whose bank signs that it is the same owner's,
with the holder's signature. Where nobody can give that one, for the account is bound to no key or the key is lost, a
supervisor's order stands in; an affiliate is always paid by order, for it may owe more than it is owed. An
administrator that is a supervisor itself needs the order of another one.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from ledger.crypto.keys import thumbprint
from ledger.model.accounts import Account, participant_code
from ledger.model.assets import TENGE
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Role
from ledger.model.record import Record
from ledger.rules.accounts import WALLET
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, KEYS, PARTICIPANT_CODES, PARTICIPANTS
from ledger.state import Overlay, Table, View
from ledger.units import (
    AccountField,
    AmountField,
    BusinessDate,
    KeyField,
    Kid,
    LabelField,
    OrderField,
    ParticipantField,
    ParticipantId,
    TimestampUs,
)
from settlement.model.instructions import Fail, FailCause, InstructionStatus, with_status
from settlement.model.winddown import UNWOUND_MAX, WindDown
from settlement.rules.classes import AFFILIATE_CLIENT
from settlement.rules.coins import refuse_venue
from settlement.rules.parties import related
from settlement.rules.purposes import CLIENT_CLASSES
from settlement.rules.registry import REGISTER_SUBJECT_UNKNOWN
from settlement.rules.segregation import RETURN_ACCOUNT_UNFIT, RETURN_HOLDER_DIFFERS
from settlement.rules.set_aside import (
    INSTRUCTION_STATUS_UNFIT,
    INSTRUCTION_UNKNOWN,
    Change,
    find_instruction,
    give_back,
)
from settlement.rules.tables import EXCHANGES, FAILS, INSTRUCTIONS, WIND_DOWNS, WINDDOWN_PAID

ADMINISTRATOR_ROLES: Final = frozenset({Role.AUDITOR, Role.SUPERVISOR})
"""Roles of an administrator: not a bank, which would sign for the payment and for the wallet, and no exchange."""


class WinddownOpen(Record, frozen=True, kw_only=True):
    """Open the wind-down of an exchange that is not active."""

    exchange: ParticipantField
    administrator: ParticipantField
    order: OrderField


class WinddownClose(Record, frozen=True, kw_only=True):
    """Close a wind-down: all is paid, the exchange was restored, or another administrator takes over."""

    exchange: ParticipantField
    order: OrderField


class WinddownUnwind(Record, frozen=True, kw_only=True):
    """Release sales that have not settled, before their deadlines."""

    exchange: ParticipantField
    trades: Annotated[tuple[LabelField, ...], Meta(min_length=1, max_length=UNWOUND_MAX)]
    order: OrderField


class WinddownPay(Record, frozen=True, kw_only=True):
    """Pay a client's tenge to the same owner's wallet at a bank; the bank signs too."""

    exchange: ParticipantField
    account: AccountField
    credit: AccountField
    holder: LabelField
    """The bank's own pseudonym of the wallet's holder; its signature says that it is the client."""
    amount: AmountField
    holder_key: KeyField | None = None
    """Public key that the account is bound to; its holder signs."""
    order: OrderField | None = None
    """In place of the holder's signature: a supervisor's order, which a supervisor signs."""


WINDDOWN_VENUE_ACTIVE = RefusalCode("winddown_venue_active", "The exchange is active; suspend or revoke it first.")
WINDDOWN_ADMINISTRATOR_UNFIT = RefusalCode(
    "winddown_administrator_unfit",
    "The administrator is admitted as auditor or supervisor, and is registered as nobody of the exchange's.",
)
WINDDOWN_STANDS = RefusalCode("winddown_stands", "The exchange is being wound down already.")
WINDDOWN_NOT_OPEN = RefusalCode("winddown_not_open", "No wind-down of the exchange is open.", is_transient=True)
WINDDOWN_SENDER_UNFIT = RefusalCode(
    "winddown_sender_unfit", "Only the administrator may do that; unwinding, a supervisor too."
)
WINDDOWN_CONSENT_MISSING = RefusalCode(
    "winddown_consent_missing",
    "Neither the holder of the account nor another supervisor, by its order, has signed; an affiliate needs the order.",
    iso="AG01",
)


def open_wind_down(view: View, exchange: ParticipantId) -> WindDown | None:
    """Return the wind-down of an exchange, if one is open."""
    standing = view.get(WIND_DOWNS, exchange)
    return standing if standing is not None and standing.closed_us is None else None


def needs_order(account: Account) -> bool:
    """Whether a client's account is paid out by order only."""
    return account.holder_key is None or account.account_class == AFFILIATE_CLIENT.name


def unwound(
    view: View, exchange: ParticipantId, trade: str, *, time_us: TimestampUs, business_date: BusinessDate
) -> tuple[Change, ...] | Refused:
    """Return the changes that release a sale that has not settled; it fails for want of a venue."""
    instruction = find_instruction(view, exchange, trade)
    if isinstance(instruction, Refused):
        return instruction
    side = instruction.seller or instruction.buyer
    assert side is not None, "an instruction has a side"
    fail = Fail(
        cause=FailCause.VENUE_SUSPENDED,
        quantity=side.terms.quantity,
        settlement_date=side.terms.settlement_date,
        failed_on=business_date,
        failed_us=time_us,
    )
    key = f"{exchange}/{trade}"
    failed = with_status(instruction, InstructionStatus.FAILED, time_us)
    return (
        (INSTRUCTIONS, key, msgspec.structs.replace(failed, set_aside=None)),
        (FAILS, key, fail),
        *give_back(view, instruction),
    )


def _open(view: View, submitted: Submitted) -> Proposal | Refused:
    body: WinddownOpen = submitted.signed.body
    if view.get(EXCHANGES, body.exchange) is None:
        return Refused(REGISTER_SUBJECT_UNKNOWN, detail=f"exchange {body.exchange}")
    if open_wind_down(view, body.exchange) is not None:
        return Refused(WINDDOWN_STANDS, detail=f"exchange {body.exchange}")
    if refuse_venue(view, body.exchange, submitted.time_us) is None:
        return Refused(WINDDOWN_VENUE_ACTIVE, detail=f"exchange {body.exchange} at {submitted.time_us}")
    administrator = view.get(PARTICIPANTS, body.administrator)
    relation = related(view, body.exchange, body.administrator, submitted.time_us)
    if administrator is None or administrator.role not in ADMINISTRATOR_ROLES or relation is not None:
        return Refused(WINDDOWN_ADMINISTRATOR_UNFIT, detail=f"participant {body.administrator}, relation {relation}")
    opened = WindDown(administrator=body.administrator, order=body.order, opened_us=submitted.time_us)
    return Proposal(changes=((WIND_DOWNS, body.exchange, opened),), record={})


def _close(view: View, submitted: Submitted) -> Proposal | Refused:
    body: WinddownClose = submitted.signed.body
    standing = open_wind_down(view, body.exchange)
    if standing is None:
        return Refused(WINDDOWN_NOT_OPEN, detail=f"exchange {body.exchange}")
    closed = msgspec.structs.replace(standing, closed_us=submitted.time_us, closing_order=body.order)
    return Proposal(changes=((WIND_DOWNS, body.exchange, closed),), record={})


def _unwind(view: View, submitted: Submitted) -> Proposal | Refused:
    body: WinddownUnwind = submitted.signed.body
    sender = submitted.signed.transaction.participant
    standing = open_wind_down(view, body.exchange)
    if standing is None:
        return Refused(WINDDOWN_NOT_OPEN, detail=f"exchange {body.exchange}")
    participant = view.get(PARTICIPANTS, sender)
    assert participant is not None, "the sender is admitted"
    if sender != standing.administrator and participant.role is not Role.SUPERVISOR:
        return Refused(WINDDOWN_SENDER_UNFIT, detail=f"expected {standing.administrator}, got {sender}")
    after = Overlay(view)
    for line, trade in enumerate(body.trades):
        changes = unwound(after, body.exchange, trade, time_us=submitted.time_us, business_date=submitted.business_date)
        if isinstance(changes, Refused):
            return Refused(changes.code, line, changes.detail)
        for table, key, value in changes:
            after.put(table, key, value)
    return Proposal(changes=_written(after), record={"unwound": len(body.trades)})


def _written(after: Overlay) -> tuple[tuple[Table[Any], str, Any], ...]:
    return tuple((table, key, value) for table, rows in after.writes() for key, value in rows.items())


def _pay(view: View, submitted: Submitted) -> Proposal | Refused:
    body: WinddownPay = submitted.signed.body
    standing = open_wind_down(view, body.exchange)
    if standing is None:
        return Refused(WINDDOWN_NOT_OPEN, detail=f"exchange {body.exchange}")
    if submitted.signed.transaction.participant != standing.administrator:
        return Refused(WINDDOWN_SENDER_UNFIT, detail=f"expected {standing.administrator}")
    account, wallet = view.get(ACCOUNTS, body.account), view.get(ACCOUNTS, body.credit)
    if (
        account is None
        or account.owner != body.exchange
        or account.asset != TENGE
        or account.account_class not in CLIENT_CLASSES
    ):
        return Refused(RETURN_ACCOUNT_UNFIT, detail=f"account {body.account}")
    if wallet is None or wallet.account_class != WALLET.name or wallet.asset != TENGE:
        return Refused(RETURN_ACCOUNT_UNFIT, detail=f"account {body.credit}")
    if wallet.holder != body.holder:
        return Refused(RETURN_HOLDER_DIFFERS, detail=f"account {body.credit}, holder {body.holder}")
    presented = None if body.holder_key is None else thumbprint(body.holder_key)
    if body.order is None and (needs_order(account) or account.holder_key != presented):
        return Refused(WINDDOWN_CONSENT_MISSING, detail=f"account {body.account}")
    if body.order is not None and not _is_ordered_by_another(view, submitted):
        return Refused(WINDDOWN_CONSENT_MISSING, detail=f"account {body.account}: no other supervisor signed the order")
    # From here only the posting rules and the guards may refuse.
    paid = (view.get(WINDDOWN_PAID, body.account) or 0) + body.amount
    return Proposal(
        entries=(_entry(body),),
        changes=((WINDDOWN_PAID, body.account, paid),),
        record={"exchange": str(body.exchange), "paid": paid},
    )


def _is_ordered_by_another(view: View, submitted: Submitted) -> bool:
    """Whether a supervisor other than the sender signed: an administrator gives no order to itself."""
    for kid in submitted.signed.signers:
        key = view.get(KEYS, kid)
        if key is not None and key.participant != submitted.signed.transaction.participant:
            participant = view.get(PARTICIPANTS, key.participant)
            assert participant is not None, "a key belongs to a participant"
            if participant.role is Role.SUPERVISOR:
                return True
    return False


def _entry(body: WinddownPay) -> Entry:
    postings = (
        Posting(account=body.account, asset=TENGE, amount=body.amount, side=Side.DEBIT),
        Posting(account=body.credit, asset=TENGE, amount=body.amount, side=Side.CREDIT),
    )
    return Entry(postings, mandated=() if body.order is None else (body.account,), keeper=body.exchange)


def _holder(_view: View, body: WinddownPay) -> Iterable[Kid]:
    return () if body.holder_key is None else (Kid(thumbprint(body.holder_key)),)


def _presented(body: WinddownPay) -> Iterable[str]:
    return () if body.holder_key is None else (body.holder_key,)


def _cosigners(view: View, body: WinddownPay) -> Iterable[Cosigner]:
    """The bank whose code the wallet's id carries, and a supervisor where its order stands in for the holder."""
    bank = view.get(PARTICIPANT_CODES, participant_code(body.credit))
    if bank is not None:
        yield Cosigner(participant=ParticipantId(bank), threshold=1)
    if body.order is not None:
        yield Cosigner(role=Role.SUPERVISOR, threshold=1)


def _trades(body: WinddownUnwind) -> int:
    return len(body.trades)


MODULE: Final = RuleModule(
    name="winddown",
    meaning="An exchange that lost its licence is run off, and its clients get their money.",
    tables=(WIND_DOWNS, WINDDOWN_PAID),
    kinds=(
        Kind(
            name="winddown_open",
            body=WinddownOpen,
            meaning="Open the wind-down of an exchange that is not active, and name its administrator.",
            refusals=(
                REGISTER_SUBJECT_UNKNOWN,
                WINDDOWN_STANDS,
                WINDDOWN_VENUE_ACTIVE,
                WINDDOWN_ADMINISTRATOR_UNFIT,
            ),
            decide=_open,
        ),
        Kind(
            name="winddown_close",
            body=WinddownClose,
            meaning="Close a wind-down.",
            refusals=(WINDDOWN_NOT_OPEN,),
            decide=_close,
        ),
        Kind(
            name="winddown_unwind",
            body=WinddownUnwind,
            meaning="Release sales of the exchange that have not settled; the administrator or a supervisor.",
            refusals=(WINDDOWN_NOT_OPEN, WINDDOWN_SENDER_UNFIT, INSTRUCTION_UNKNOWN, INSTRUCTION_STATUS_UNFIT),
            decide=_unwind,
            weight=_trades,
        ),
        Kind(
            name="winddown_pay",
            body=WinddownPay,
            meaning="Pay a client's tenge to the same owner's wallet at a bank, in place of the exchange.",
            refusals=(
                WINDDOWN_NOT_OPEN,
                WINDDOWN_SENDER_UNFIT,
                RETURN_ACCOUNT_UNFIT,
                RETURN_HOLDER_DIFFERS,
                WINDDOWN_CONSENT_MISSING,
            ),
            decide=_pay,
            required_keys=_holder,
            presented_keys=_presented,
            cosigners=_cosigners,
        ),
    ),
)
