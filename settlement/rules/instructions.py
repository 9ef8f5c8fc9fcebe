"""Instructions: each side of an executed sale says what it is to be, and the two must match.

The exchange sends both, as two transactions, each with the mandate of its side. The number of the trade brings them
together; every other term is compared, and those that differ are named. Until both match, a side may be said anew.

An instruction moves nothing. But DAA 2.13.4(2) lets an exchange execute a trade only for a client whose account holds
enough, so it is refused unless its side holds what the whole sale takes, less what is set aside for other sales.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from ledger.crypto.canonical import b64url
from ledger.model.assets import TENGE, Asset
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.model.transactions import EmbeddedJws
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS
from ledger.state import Table, View
from ledger.units import Kid, LabelField, ParticipantField, ParticipantId
from settlement.model.energy import PayeePurpose
from settlement.model.instructions import (
    SETTLEMENT_DAYS_MAX,
    UNMATCHED_STATUSES,
    Charges,
    Consent,
    Fail,
    FailCause,
    Instruction,
    InstructionStatus,
    SideInstruction,
    SideName,
    StatusInterval,
    Terms,
    differing,
    with_status,
)
from settlement.model.local_time import calendar_date
from settlement.model.parties import client_party
from settlement.model.price_limits import REFERENCE_AGE_DAYS_DEFAULT, age_days
from settlement.model.trades import tenge_amount
from settlement.rules.classes import AFFILIATE_CLIENT
from settlement.rules.coins import OWN_TOKEN_NOT_ADMITTED, VENUE_LICENCE_INVALID, refuse_venue
from settlement.rules.custody import COIN_NOT_ADMITTED
from settlement.rules.mandates import MANDATE_REFUSALS
from settlement.rules.parties import related
from settlement.rules.price_limits import PRICE_REFUSALS, refuse_price
from settlement.rules.sales import (
    DVP_ACCOUNT_UNFIT,
    DVP_HOLDER_DIFFERS,
    EXECUTION_IN_FUTURE,
    EXECUTION_TOO_OLD,
    FEE_ABOVE_TARIFF,
    FEE_ACCOUNT_UNFIT,
    MINER_ACCOUNT_UNCONFIRMED,
    MINER_LICENCE_INVALID,
    REFERENCE_DATE_INVALID,
    SELF_TRADE,
    TRADE_AMOUNT_OUT_OF_RANGE,
    TRADE_REPEATED,
    Moved,
    Parties,
    admitted_coin,
    executed_on,
    find_parties,
    refuse_amount,
    refuse_buyer_mandate,
    refuse_execution,
    refuse_fee,
    refuse_miner,
    refuse_reference,
    refuse_seller_mandate,
)
from settlement.rules.set_aside import (
    BUYER_NOT_PREFUNDED,
    INSTRUCTION_STATUS_UNFIT,
    INSTRUCTION_UNKNOWN,
    SELLER_NOT_PREFUNDED,
    available,
    find_instruction,
    give_back,
)
from settlement.rules.settlement_settings import TAX_ACCOUNT_UNFIT, cut_off_us
from settlement.rules.tables import COINS, FAILS, INSTRUCTIONS, TAX_ACCOUNTS, TRADES
from settlement.rules.utilities import is_payee

NO_CHARGES = Charges()


class DvpInstruct(Record, frozen=True, kw_only=True):
    """Instruct the settlement of an executed sale, for one side of it."""

    trade: LabelField
    """The exchange's number of the trade, unique for ever; both sides name it."""
    side: SideName
    terms: Terms
    mandate: EmbeddedJws
    """Of the side's holder."""
    charges: Charges | None = None
    """Of the seller's side only."""


class DvpCancel(Record, frozen=True, kw_only=True):
    """Cancel a sale that has not settled: with both holders' signatures once the sides have matched."""

    exchange: ParticipantField
    """The sender."""
    trade: LabelField


INSTRUCTION_MATCHED = RefusalCode("instruction_matched", "The sale is matched or has ended; it is not said anew.")
SETTLEMENT_DATE_INVALID = RefusalCode(
    "settlement_date_invalid",
    f"The settlement date does not exist, lies before the business date or over {SETTLEMENT_DAYS_MAX} days after it.",
)
CUT_OFF_PASSED = RefusalCode("cut_off_passed", "The cut-off of the settlement date has passed.")
CHARGES_ON_BUYER = RefusalCode("charges_on_buyer", "Fee and tax are taken from the seller; the buyer pays the price.")
CHARGES_EXCEED_AMOUNT = RefusalCode("charges_exceed_amount", "Fee and tax leave the seller nothing.")


def _instruct(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpInstruct = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    key = f"{exchange}/{body.trade}"
    standing = view.get(INSTRUCTIONS, key)
    coin = _refuse_trade(view, submitted, body, exchange, standing)
    if isinstance(coin, Refused):
        return coin
    parties = find_parties(view, body.terms, exchange, coin.asset)
    if isinstance(parties, Refused):
        return parties
    amount = tenge_amount(body.terms.quantity, body.terms.price, coin.scale)
    charges = body.charges or NO_CHARGES
    moved = Moved(body.terms.quantity, amount, charges.fee, charges.tax)
    refused = (
        refuse_amount(amount)
        or _refuse_mandate(view, submitted, body, parties, moved, coin.scale)
        or refuse_miner(view, body.terms, parties, body.terms.executed_us, submitted.time_us)
        or refuse_reference(view, body.terms)
        or refuse_price(
            view,
            body.terms,
            executed_on(view, body.terms),
            submitted.business_date,
            age_days_default=REFERENCE_AGE_DAYS_DEFAULT,
        )
        or _refuse_charges(view, submitted, body, charges, amount)
        or _refuse_unfunded(view, body, amount)
    )
    if refused is not None:
        return refused
    instruction = _with_side(view, submitted, body, parties, standing)
    changes: list[tuple[Table[Any], str, Any]] = [(INSTRUCTIONS, key, instruction)]
    if standing is None:
        changes.append((TRADES, key, submitted.signed.transaction_id.hex()))
    record: dict[str, Any] = {"status": str(instruction.status), "differs": list(instruction.differs)}
    if instruction.related is not None:
        record["related"] = instruction.related
    return Proposal(changes=tuple(changes), record=record)


def _refuse_trade(
    view: View, submitted: Submitted, body: DvpInstruct, exchange: ParticipantId, standing: Instruction | None
) -> Asset | Refused:
    """The coin's asset at this exchange, or why no trade of it may be instructed."""
    terms = body.terms
    if standing is not None and standing.status not in UNMATCHED_STATUSES:
        return Refused(INSTRUCTION_MATCHED, detail=f"trade {body.trade} is {standing.status}")
    if standing is None and view.get(TRADES, f"{exchange}/{body.trade}") is not None:
        return Refused(TRADE_REPEATED, detail=f"trade {body.trade}")
    if refused := refuse_execution(terms.executed_us, submitted.time_us):
        return refused
    if refused := refuse_venue(view, exchange, terms.executed_us, submitted.time_us):
        return refused
    coin = view.get(COINS, terms.coin)
    if coin is not None and coin.issued_by is not None:
        return Refused(OWN_TOKEN_NOT_ADMITTED, detail=f"{terms.coin} was issued by {coin.issued_by}")
    date, today = terms.settlement_date, submitted.business_date
    if calendar_date(date) is None or not 0 <= age_days(today, date) <= SETTLEMENT_DAYS_MAX:
        return Refused(SETTLEMENT_DATE_INVALID, detail=f"date {date}, business date {today}")
    if cut_off_us(view, exchange, date) <= submitted.time_us:
        return Refused(CUT_OFF_PASSED, detail=f"of {date}, now {submitted.time_us}")
    return admitted_coin(view, terms.coin, exchange)


def _refuse_mandate(
    view: View, submitted: Submitted, body: DvpInstruct, parties: Parties, moved: Moved, scale: int
) -> Refused | None:
    (mandate,) = submitted.signed.mandates
    time_us = submitted.time_us
    if body.side == "seller":
        return refuse_seller_mandate(
            view, mandate, body.terms, parties.seller_coin, moved, scale=scale, time_us=time_us
        )
    return refuse_buyer_mandate(view, mandate, body.terms, parties.buyer_tenge, moved, time_us=time_us)


def _refuse_charges(
    view: View, submitted: Submitted, body: DvpInstruct, charges: Charges, amount: int
) -> Refused | None:
    exchange = submitted.signed.transaction.participant
    if body.side == "buyer" and charges != NO_CHARGES:
        return Refused(CHARGES_ON_BUYER, detail=f"fee {charges.fee}, tax {charges.tax}")
    if charges.fee + charges.tax >= amount:
        return Refused(CHARGES_EXCEED_AMOUNT, detail=f"{charges.fee} and {charges.tax} of {amount} tiyn")
    if refused := refuse_fee(view, exchange, submitted.business_date, amount, charges.fee, charges.fee_account):
        return refused
    if charges.tax == 0:
        return None
    name = charges.tax_account
    account = None if name is None else view.get(ACCOUNTS, name)
    if name is not None and account is not None and account.asset == TENGE:
        if account.owner == exchange and view.get(TAX_ACCOUNTS, name) is not None:
            return None
        if is_payee(view, name, PayeePurpose.TREASURY) and name != charges.fee_account:
            return None
    return Refused(TAX_ACCOUNT_UNFIT, detail=f"account {name}")


def _refuse_unfunded(view: View, body: DvpInstruct, amount: int) -> Refused | None:
    terms = body.terms
    if body.side == "buyer" and (held := available(view, terms.buyer_tenge)) < amount:
        return Refused(BUYER_NOT_PREFUNDED, detail=f"{held} of {amount} tiyn")
    if body.side == "seller" and (held := available(view, terms.seller_coin)) < terms.quantity:
        return Refused(SELLER_NOT_PREFUNDED, detail=f"{held} of {terms.quantity}")
    return None


def _with_side(
    view: View, submitted: Submitted, body: DvpInstruct, parties: Parties, standing: Instruction | None
) -> Instruction:
    """The sale with what this side says, and the status that comes of it."""
    exchange = submitted.signed.transaction.participant
    (mandate,) = submitted.signed.mandates
    side = SideInstruction(
        terms=body.terms,
        charges=body.charges or NO_CHARGES,
        consent=Consent(mandate=mandate.mandate, kid=mandate.kid, digest=mandate.digest),
        cut_off_us=cut_off_us(view, exchange, body.terms.settlement_date),
        transaction=b64url(submitted.signed.transaction_id),
    )
    if standing is None:
        start = StatusInterval(status=InstructionStatus.PENDING, from_us=submitted.time_us)
        standing = Instruction(history=(start,))
    said = msgspec.structs.replace(standing, **{body.side: side})
    if said.seller is None or said.buyer is None:
        return said
    differs = differing(said.seller.terms, said.buyer.terms)
    status = InstructionStatus.UNMATCHED if differs else InstructionStatus.MATCHED
    mark = None if differs else _related(view, exchange, body.terms, parties)
    return with_status(msgspec.structs.replace(said, differs=differs, related=mark), status, submitted.time_us)


def _related(view: View, exchange: ParticipantId, terms: Terms, parties: Parties) -> str | None:
    """How seller and buyer belong together when they met; a client of the exchange's own group is marked too."""
    seller, buyer = parties.seller_coin.holder, parties.buyer_tenge.holder
    assert seller is not None, "both sides have named holders"
    assert buyer is not None, "both sides have named holders"
    party = seller if parties.is_miners else client_party(exchange, seller)
    if found := related(view, party, client_party(exchange, buyer), terms.executed_us):
        return found
    classes = {parties.seller_coin.account_class, parties.buyer_tenge.account_class}
    return "affiliate" if AFFILIATE_CLIENT.name in classes else None


def _cancel(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpCancel = submitted.signed.body
    if body.exchange != submitted.signed.transaction.participant:
        return Refused(INSTRUCTION_UNKNOWN, detail=f"trade {body.trade} of {body.exchange}")
    instruction = find_instruction(view, body.exchange, body.trade)
    if isinstance(instruction, Refused):
        return instruction
    key = f"{body.exchange}/{body.trade}"
    cancelled = with_status(instruction, InstructionStatus.CANCELLED, submitted.time_us)
    changes: list[tuple[Table[Any], str, Any]] = [
        (INSTRUCTIONS, key, msgspec.structs.replace(cancelled, set_aside=None)),
        *give_back(view, instruction),
    ]
    if instruction.status not in UNMATCHED_STATUSES:
        assert instruction.seller is not None, "a matched sale has both sides"
        terms = instruction.seller.terms
        fail = Fail(
            cause=FailCause.CANCELLED_BY_BOTH,
            quantity=terms.quantity,
            settlement_date=terms.settlement_date,
            failed_on=submitted.business_date,
            failed_us=submitted.time_us,
        )
        changes.append((FAILS, key, fail))
    return Proposal(changes=tuple(changes), record={"was": str(instruction.status)})


def _both_holders(view: View, body: DvpCancel) -> Iterable[Kid]:
    """Both keys, once the sides have matched; before that there is nothing to cancel but the exchange's own word."""
    instruction = view.get(INSTRUCTIONS, f"{body.exchange}/{body.trade}")
    if instruction is None or instruction.status in UNMATCHED_STATUSES:
        return ()
    return [side.consent.kid for side in (instruction.seller, instruction.buyer) if side is not None]


MODULE = RuleModule(
    name="instructions",
    meaning="Instructions of both sides of a sale, which match or name what differs.",
    tables=(INSTRUCTIONS, FAILS),
    kinds=(
        Kind(
            name="dvp_instruct",
            body=DvpInstruct,
            meaning="Instruct the settlement of an executed sale, for one side of it.",
            refusals=(
                INSTRUCTION_MATCHED,
                TRADE_REPEATED,
                EXECUTION_IN_FUTURE,
                EXECUTION_TOO_OLD,
                VENUE_LICENCE_INVALID,
                OWN_TOKEN_NOT_ADMITTED,
                SETTLEMENT_DATE_INVALID,
                CUT_OFF_PASSED,
                COIN_NOT_ADMITTED,
                DVP_ACCOUNT_UNFIT,
                DVP_HOLDER_DIFFERS,
                SELF_TRADE,
                TRADE_AMOUNT_OUT_OF_RANGE,
                *MANDATE_REFUSALS,
                MINER_ACCOUNT_UNCONFIRMED,
                MINER_LICENCE_INVALID,
                REFERENCE_DATE_INVALID,
                *PRICE_REFUSALS,
                CHARGES_ON_BUYER,
                CHARGES_EXCEED_AMOUNT,
                FEE_ABOVE_TARIFF,
                FEE_ACCOUNT_UNFIT,
                TAX_ACCOUNT_UNFIT,
                BUYER_NOT_PREFUNDED,
                SELLER_NOT_PREFUNDED,
            ),
            decide=_instruct,
            mandates=lambda body: (body.mandate,),
        ),
        Kind(
            name="dvp_cancel",
            body=DvpCancel,
            meaning="Cancel a sale that has not settled, with both holders once the sides have matched.",
            refusals=(INSTRUCTION_UNKNOWN, INSTRUCTION_STATUS_UNFIT),
            decide=_cancel,
            required_keys=_both_holders,
        ),
    ),
)
