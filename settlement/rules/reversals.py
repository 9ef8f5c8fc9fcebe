"""Reversal of a busted trade: a new entry, dated now, moves both legs back, wholly or in part.

Nothing is undone: the sale stands in the log, and so does the reversal, which says of which sale and why. In a miner's
quota the sale counts for so much less from the beginning, so statements of its period are restated.

Both holders and the exchange sign, or two signatories of supervisors sign with the exchange, naming the order; either
way no more moves than the sale moved, and only back. What each side got of the money is given back in proportion,
rounded down over all reversals of the sale, so that parts of any size come to the whole in the end. Tax that lies in
escrow goes back with the signature of its owner, who sees what it gives up; tax that went to the treasury's own account
is the seller's to claim there, and the seller stands in for it.

A sale settled in one step left no terms in the state; its own payload is shown, and its digest proves it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta

from ledger.crypto import canonical, digest
from ledger.crypto.canonical import NotCanonical, b64url, b64url_decode
from ledger.model.assets import TENGE
from ledger.model.journal import Entry
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Cosigner, Role
from ledger.model.record import Record
from ledger.model.transactions import Transaction
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS
from ledger.state import View
from ledger.units import AccountId, AmountField, Kid, LabelField, OrderField, ParticipantField
from settlement.model.instructions import InstructionStatus, Reversal, part_of, with_status
from settlement.model.trades import tenge_amount
from settlement.rules.coins import coin_asset
from settlement.rules.completion import FINALITY
from settlement.rules.dvp import DvpSettle
from settlement.rules.sales import Moved, Terms, credit, debit, executed_on
from settlement.rules.set_aside import Change
from settlement.rules.tables import INSTRUCTIONS, REVERSALS, TAX_ACCOUNTS, TRADES

ORIGINAL_LENGTH_MAX: Final = 24_576
"""Longest payload of a one-step sale, in characters of base64url: two mandates of 8,192 each, and room for the rest."""


class DvpReverse(Record, frozen=True, kw_only=True):
    """Move a settled sale back, wholly or in part."""

    exchange: ParticipantField
    """The sender."""
    trade: LabelField
    quantity: AmountField
    """How much of the coins goes back, in the smallest unit; the tenge follows in proportion."""
    reason: OrderField
    """Number of the case in which the trade was busted."""
    order: OrderField | None = None
    """Number of the supervisor's order; then it signs in place of the holders."""
    original: Annotated[str, Meta(min_length=1, max_length=ORIGINAL_LENGTH_MAX)] | None = None
    """Of a sale settled in one step: the payload of its transaction, base64url."""


SETTLEMENT_UNKNOWN = RefusalCode(
    "settlement_unknown", "The exchange has settled no sale of this number, or the payload shown is not that sale's."
)
REVERSAL_EXCEEDED = RefusalCode("reversal_exceeded", "More would be moved back than is left of the sale.")
REVERSAL_WITHOUT_VALUE = RefusalCode(
    "reversal_without_value", "So small a part gives the buyer not one tiyn back; reverse more at once."
)


@dataclass(frozen=True, slots=True)
class _Sale:
    """What settled of a sale."""

    terms: Terms
    moved: Moved
    fee_account: AccountId | None
    escrow: AccountId | None
    """The account that keeps its tax, where that is at the exchange."""


@dataclass(frozen=True, slots=True)
class _Back:
    """What goes back of a sale now, in the coin's smallest unit and in tiyn; ``total`` with what went back before."""

    quantity: int
    by_seller: int
    fee: int
    tax: int
    total: Moved

    @property
    def amount(self) -> int:
        """What the buyer gets."""
        return self.by_seller + self.fee + self.tax


def _reverse(view: View, submitted: Submitted) -> Proposal | Refused:
    body: DvpReverse = submitted.signed.body
    sale = None if body.exchange != submitted.signed.transaction.participant else _sale(view, body)
    if sale is None:
        return Refused(SETTLEMENT_UNKNOWN, detail=f"trade {body.trade} of {body.exchange}")
    key = f"{body.exchange}/{body.trade}"
    before = view.get(REVERSALS, key)
    left = sale.moved.quantity - (0 if before is None else before.quantity)
    if body.quantity > left:
        return Refused(REVERSAL_EXCEEDED, detail=f"{left} of {sale.moved.quantity} left, {body.quantity} asked")
    back = _back(sale, body.quantity, 0 if before is None else before.quantity)
    if back.amount == 0:
        return Refused(REVERSAL_WITHOUT_VALUE, detail=f"{body.quantity} of {sale.moved.quantity}")
    # From here only the posting rules and the guards may refuse.
    reversal = Reversal(
        quantity=back.total.quantity,
        amount=back.total.amount,
        fee=back.total.fee,
        tax=back.total.tax,
        reversed_us=submitted.time_us,
        reason=body.reason,
        transaction=b64url(submitted.signed.transaction_id),
    )
    changes: list[Change] = [(REVERSALS, key, reversal)]
    instruction = view.get(INSTRUCTIONS, key)
    if instruction is not None and body.quantity == left:
        changes.append((INSTRUCTIONS, key, with_status(instruction, InstructionStatus.REVERSED, submitted.time_us)))
    record: dict[str, Any] = {
        "trade": str(body.trade),
        "reversed": body.quantity,
        "amount": back.amount,
        "effective_on": str(executed_on(view, sale.terms)),
        "finality": FINALITY,
        "final_us": submitted.time_us,
    }
    return Proposal(entries=(_entry(body, sale, back),), changes=tuple(changes), record=record)


def _sale(view: View, body: DvpReverse) -> _Sale | None:
    """The settled sale, from the state or from its own payload."""
    key = f"{body.exchange}/{body.trade}"
    instruction = view.get(INSTRUCTIONS, key)
    if instruction is None:
        return _original(view, body)
    settled, seller = instruction.settled, instruction.seller
    if settled is None or seller is None:
        return None
    charges = seller.charges
    tax_account = charges.tax_account
    escrow = tax_account if tax_account is not None and view.get(TAX_ACCOUNTS, tax_account) is not None else None
    return _Sale(
        terms=seller.terms,
        moved=Moved(settled.quantity, settled.amount, settled.fee, settled.tax),
        fee_account=charges.fee_account,
        escrow=escrow,
    )


def _original(view: View, body: DvpReverse) -> _Sale | None:
    """The sale that a payload shows, if it is the one that settled under this number."""
    if body.original is None:
        return None
    try:
        payload = b64url_decode(body.original)
        if view.get(TRADES, f"{body.exchange}/{body.trade}") != digest.transaction_id(payload).hex():
            return None
        # The number of a sale that was attested stands there too: its payload is of another kind and settled nothing.
        shown: DvpSettle = canonical.decode(payload, Transaction[DvpSettle]).body
    except NotCanonical:
        return None
    asset = view.get(ASSETS, coin_asset(shown.coin, body.exchange))
    assert asset is not None, "a coin stays admitted"
    amount = tenge_amount(shown.quantity, shown.price, asset.scale)
    return _Sale(shown, Moved(shown.quantity, amount, shown.fee), shown.fee_account, None)


def _back(sale: _Sale, quantity: int, before: int) -> _Back:
    """What goes back with a quantity: the difference of what is due after it and what was due before."""
    whole = sale.moved.quantity
    tax = 0 if sale.escrow is None else sale.moved.tax
    by_seller = sale.moved.amount - sale.moved.fee - tax
    earlier = [part_of(share, before, whole) for share in (by_seller, sale.moved.fee, tax)]
    later = [part_of(share, before + quantity, whole) for share in (by_seller, sale.moved.fee, tax)]
    by_seller, fee, tax = (one - other for one, other in zip(later, earlier, strict=True))
    return _Back(quantity, by_seller, fee, tax, Moved(before + quantity, sum(later), later[1], later[2]))


def _entry(body: DvpReverse, sale: _Sale, back: _Back) -> Entry:
    terms = sale.terms
    coin = coin_asset(terms.coin, body.exchange)
    postings = [debit(terms.buyer_coin, coin, back.quantity)]
    for account, amount in (
        (terms.seller_tenge, back.by_seller),
        (sale.fee_account, back.fee),
        (sale.escrow, back.tax),
    ):
        if amount:
            assert account is not None, "what was taken went somewhere"
            postings.append(debit(account, TENGE, amount))
    postings += [credit(terms.seller_coin, coin, back.quantity), credit(terms.buyer_tenge, TENGE, back.amount)]
    # An order stands in for the consent of both holders; the tax authority signs for its own account in any case.
    return Entry(tuple(postings), mandated=(terms.buyer_coin, terms.seller_tenge) if body.order is not None else ())


def _keys(view: View, body: DvpReverse) -> Iterable[Kid]:
    """Who must sign besides the exchange: the owners of what is debited, or of the escrow alone under an order."""
    sale = _sale(view, body)
    if sale is None:
        return
    holders = () if body.order is not None else (sale.terms.buyer_coin, sale.terms.seller_tenge)
    escrow = () if sale.escrow is None or not sale.moved.tax else (sale.escrow,)
    for name in (*holders, *escrow):
        account = view.get(ACCOUNTS, name)
        assert account is not None, "an account never goes"
        assert account.holder_key is not None, "a mandate or a confirmation asked for a bound account"
        yield account.holder_key


def _supervisor(_view: View, body: DvpReverse) -> Iterable[Cosigner]:
    """Two people: the order stands in for both holders."""
    return () if body.order is None else (Cosigner(role=Role.SUPERVISOR, threshold=2),)


MODULE: Final = RuleModule(
    name="reversals",
    meaning="Busted trades are moved back by entries of their own.",
    tables=(REVERSALS,),
    kinds=(
        Kind(
            name="dvp_reverse",
            body=DvpReverse,
            meaning="Move a settled sale back, wholly or in part, with both holders or by order.",
            refusals=(SETTLEMENT_UNKNOWN, REVERSAL_EXCEEDED, REVERSAL_WITHOUT_VALUE),
            decide=_reverse,
            required_keys=_keys,
            cosigners=_supervisor,
        ),
    ),
)
