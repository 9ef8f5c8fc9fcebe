"""Custody: coins come onto the ledger only as something an exchange owes, within a reserve an auditor has seen.

Coins are credited to accounts of clients and miners, never to the exchange's own; they leave with the holder's
signature.

What an auditor saw is of a moment. Withdrawals between that moment and the record are taken off, whoever waited: the
ledger counts them, and the attestation says how many it had counted before the auditor looked. Deposits since then
need nothing: coins that arrived later are only not yet attested. A look that is older than the one on record, or older
than a day, is refused, so that good news held back cannot follow bad news.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from ledger.model.accounts import Account
from ledger.model.assets import TENGE, Asset
from ledger.model.journal import Entry, Posting, Side
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.participants import Role
from ledger.model.record import Record
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS, BALANCES, KEYS, PARTICIPANTS
from ledger.state import Table, View
from ledger.units import (
    BALANCE_MAX,
    AccountField,
    AccountId,
    AmountField,
    AssetField,
    AssetId,
    DigestField,
    Kid,
    LabelField,
    ParticipantId,
    TimestampField,
    TotalField,
)
from settlement.model.custody import Attestation
from settlement.rules.coins import VENUE_LICENCE_INVALID, refuse_venue
from settlement.rules.parties import related
from settlement.rules.tables import ATTESTATIONS, CUSTODY_REFERENCES, WITHDRAWN

ATTESTATION_AGE_MAX_US: Final = 24 * 3_600_000_000
"""Longest time between the auditor's look and its record, in microseconds: a day, to gather signatures."""

WITHDRAWN_MODULUS: Final = BALANCE_MAX + 1
"""Withdrawals are counted modulo this, which canonical JSON can carry; only the difference of two counts is used."""


class ReserveAttest(Record, frozen=True, kw_only=True):
    """Put on record the coins an auditor saw. The auditor signs, and may send it without the exchange."""

    asset: AssetField
    observed_us: TimestampField
    """When the auditor looked."""
    withdrawn: TotalField
    """The ledger's count of all withdrawals of the asset, read before the look; what left later is taken off."""
    quantity: TotalField
    """In the coin's smallest unit. It may be less than what is owed: bad news belongs on record."""
    evidence: DigestField
    """Commitment to what the auditor saw."""


class CustodyCredit(Record, frozen=True, kw_only=True):
    """Credit a client or miner with coins that arrived at the exchange."""

    account: AccountField
    amount: AmountField
    deposit: LabelField
    """The exchange's reference of the deposit, unique for ever."""


class CustodyDebit(Record, frozen=True, kw_only=True):
    """Take coins out that the exchange sent to the holder's own wallet; the holder key signs."""

    account: AccountField
    amount: AmountField
    withdrawal: LabelField
    """The exchange's reference of the withdrawal, unique for ever."""
    destination: DigestField
    """Commitment to the wallet."""


COIN_NOT_ADMITTED = RefusalCode("coin_not_admitted", "The asset is no coin that this exchange owes.", iso="AM03")
CUSTODY_ACCOUNT_UNKNOWN = RefusalCode(
    "custody_account_unknown", "The account does not exist or is not the sender's.", iso="AC01"
)
CUSTODY_TO_HOUSE = RefusalCode(
    "custody_to_house", "Coins in custody are credited to clients and miners, never to the exchange.", iso="AG01"
)
CUSTODY_FROM_HOUSE = RefusalCode(
    "custody_from_house", "Coins in custody are withdrawn by clients and miners, never by the exchange.", iso="AG01"
)
AUDITOR_RELATED = RefusalCode("auditor_related", "The auditor that signs is registered as belonging to the exchange.")
DEPOSIT_REUSED = RefusalCode("deposit_reused", "The deposit was credited before.", iso="AM05")
WITHDRAWAL_REUSED = RefusalCode("withdrawal_reused", "The withdrawal was debited before.", iso="AM05")
ATTESTATION_AHEAD = RefusalCode(
    "attestation_ahead", "The auditor looked after the ledger's time, or counted withdrawals the ledger has not."
)
ATTESTATION_STALE = RefusalCode(
    "attestation_stale", "The auditor looked over 24 hours ago, or not after the attestation that stands."
)
RESERVE_EXCEEDED = RefusalCode(
    "reserve_exceeded", "More coins would be owed than an auditor has seen.", iso="AM14", is_transient=True
)


def _attest(view: View, submitted: Submitted) -> Proposal | Refused:
    body: ReserveAttest = submitted.signed.body
    coin = _attestable(view, submitted, body.asset)
    if isinstance(coin, Refused):
        return coin
    if refused := _refuse_related(view, submitted, coin):
        return refused
    withdrawn = view.get(WITHDRAWN, body.asset) or 0
    left_since = (withdrawn - body.withdrawn) % WITHDRAWN_MODULUS
    if refused := _refuse_look(view, submitted, body, left_since):
        return refused
    attestation = Attestation(
        quantity=max(0, body.quantity - left_since),
        evidence=body.evidence,
        observed_us=body.observed_us,
        attested_us=submitted.time_us,
    )
    circulating = view.get(BALANCES, coin.contra) or 0
    return Proposal(
        changes=((ATTESTATIONS, body.asset, attestation),),
        record={"circulating": circulating, "quantity": attestation.quantity, "withdrawn": withdrawn},
    )


def _attestable(view: View, submitted: Submitted, asset_id: AssetId) -> Asset | Refused:
    """The asset, if it is a coin that the sender owes; an auditor attests the coins of any exchange."""
    sender = view.get(PARTICIPANTS, submitted.signed.transaction.participant)
    asset = view.get(ASSETS, asset_id)
    assert sender is not None, "the sender is admitted"
    if asset is not None and asset_id != TENGE and sender.role is Role.AUDITOR:
        return asset
    return _owed(view, submitted, asset_id)


def _refuse_related(view: View, submitted: Submitted, coin: Asset) -> Refused | None:
    """Refuse the look of an auditor that belongs to the exchange whose coins it saw."""
    for kid in submitted.signed.signers:
        key = view.get(KEYS, kid)
        assert key is not None, "the signatures were sorted by their keys"
        # The exchange's own people sign too; each is the same as itself.
        if key.participant != coin.issuer and (
            relation := related(view, coin.issuer, key.participant, submitted.time_us)
        ):
            return Refused(AUDITOR_RELATED, detail=f"participant {key.participant}: {relation}")
    return None


def _refuse_look(view: View, submitted: Submitted, body: ReserveAttest, left_since: int) -> Refused | None:
    if body.observed_us > submitted.time_us:
        return Refused(ATTESTATION_AHEAD, detail=f"observed at {body.observed_us}, now {submitted.time_us}")
    # A count ahead of the ledger's wraps around to a difference larger than any sum of coins.
    if left_since > WITHDRAWN_MODULUS // 2:
        return Refused(ATTESTATION_AHEAD, detail=f"withdrawn {body.withdrawn} is more than the ledger has counted")
    if body.observed_us < submitted.time_us - ATTESTATION_AGE_MAX_US:
        return Refused(ATTESTATION_STALE, detail=f"observed at {body.observed_us}, now {submitted.time_us}")
    standing = view.get(ATTESTATIONS, body.asset)
    if standing is not None and body.observed_us <= standing.observed_us:
        return Refused(
            ATTESTATION_STALE, detail=f"observed at {body.observed_us}, expected after {standing.observed_us}"
        )
    return None


def _credit(view: View, submitted: Submitted) -> Proposal | Refused:
    body: CustodyCredit = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    if refused := refuse_venue(view, exchange, submitted.time_us):
        return refused
    account = _account(view, exchange, body.account)
    if account is None:
        return Refused(CUSTODY_ACCOUNT_UNKNOWN, detail=f"account {body.account}")
    coin = _owed(view, submitted, account.asset)
    if isinstance(coin, Refused):
        return coin
    if not _is_client(submitted, account):
        return Refused(CUSTODY_TO_HOUSE, detail=f"account {body.account} is of class {account.account_class}")
    reference = f"{exchange}/deposit/{body.deposit}"
    if view.get(CUSTODY_REFERENCES, reference) is not None:
        return Refused(DEPOSIT_REUSED, detail=f"deposit {body.deposit}")
    circulating = view.get(BALANCES, coin.contra) or 0
    attestation = view.get(ATTESTATIONS, account.asset)
    attested = 0 if attestation is None else attestation.quantity
    if circulating + body.amount > attested:
        return Refused(
            RESERVE_EXCEEDED, detail=f"{circulating} owed and {body.amount} more, {attested} attested of {coin.asset}"
        )
    return Proposal(
        entries=(_move(account.asset, debit=coin.contra, credit=body.account, amount=body.amount),),
        changes=((CUSTODY_REFERENCES, reference, submitted.signed.transaction_id.hex()),),
    )


def _debit(view: View, submitted: Submitted) -> Proposal | Refused:
    body: CustodyDebit = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    account = _account(view, exchange, body.account)
    if account is None:
        return Refused(CUSTODY_ACCOUNT_UNKNOWN, detail=f"account {body.account}")
    coin = _owed(view, submitted, account.asset)
    if isinstance(coin, Refused):
        return coin
    if not _is_client(submitted, account):
        return Refused(CUSTODY_FROM_HOUSE, detail=f"account {body.account} is of class {account.account_class}")
    reference = f"{exchange}/withdrawal/{body.withdrawal}"
    if view.get(CUSTODY_REFERENCES, reference) is not None:
        return Refused(WITHDRAWAL_REUSED, detail=f"withdrawal {body.withdrawal}")
    return Proposal(
        entries=(_move(account.asset, debit=body.account, credit=coin.contra, amount=body.amount),),
        changes=(
            (CUSTODY_REFERENCES, reference, submitted.signed.transaction_id.hex()),
            (WITHDRAWN, account.asset, ((view.get(WITHDRAWN, account.asset) or 0) + body.amount) % WITHDRAWN_MODULUS),
            *_less_reserve(view, account.asset, body.amount),
        ),
    )


def _less_reserve(view: View, asset: AssetId, amount: int) -> tuple[tuple[Table[Any], str, Any], ...]:
    """Coins that left are no longer in the reserve: else they could be credited once more, from nothing."""
    attestation = view.get(ATTESTATIONS, asset)
    if attestation is None:
        return ()
    left = max(0, attestation.quantity - amount)
    return ((ATTESTATIONS, asset, msgspec.structs.replace(attestation, quantity=left)),)


def _account(view: View, exchange: ParticipantId, account_id: AccountId) -> Account | None:
    account = view.get(ACCOUNTS, account_id)
    return account if account is not None and account.owner == exchange else None


def _owed(view: View, submitted: Submitted, asset_id: AssetId) -> Asset | Refused:
    """The asset, if it is a coin that the sender owes."""
    asset = view.get(ASSETS, asset_id)
    if asset is None or asset_id == TENGE or asset.issuer != submitted.signed.transaction.participant:
        return Refused(COIN_NOT_ADMITTED, detail=f"asset {asset_id}")
    return asset


def _is_client(submitted: Submitted, account: Account) -> bool:
    account_class = submitted.classes.get(account.account_class)
    return account_class is not None and account_class.is_client


def _move(asset: AssetId, *, debit: AccountId, credit: AccountId, amount: int) -> Entry:
    return Entry(
        (
            Posting(account=debit, asset=asset, amount=amount, side=Side.DEBIT),
            Posting(account=credit, asset=asset, amount=amount, side=Side.CREDIT),
        )
    )


def _holder(view: View, body: CustodyDebit) -> Iterable[Kid]:
    account = view.get(ACCOUNTS, body.account)
    return () if account is None or account.holder_key is None else (account.holder_key,)


MODULE = RuleModule(
    name="custody",
    meaning="Coins that exchanges owe, within attested reserves.",
    tables=(ATTESTATIONS, WITHDRAWN, CUSTODY_REFERENCES),
    kinds=(
        Kind(
            name="reserve_attest",
            body=ReserveAttest,
            meaning="Put on record the coins an auditor saw.",
            refusals=(COIN_NOT_ADMITTED, AUDITOR_RELATED, ATTESTATION_AHEAD, ATTESTATION_STALE),
            decide=_attest,
        ),
        Kind(
            name="custody_credit",
            body=CustodyCredit,
            meaning="Credit a client or miner with coins that arrived.",
            refusals=(
                VENUE_LICENCE_INVALID,
                CUSTODY_ACCOUNT_UNKNOWN,
                COIN_NOT_ADMITTED,
                CUSTODY_TO_HOUSE,
                DEPOSIT_REUSED,
                RESERVE_EXCEEDED,
            ),
            decide=_credit,
        ),
        Kind(
            name="custody_debit",
            body=CustodyDebit,
            meaning="Take coins out that were sent to the holder.",
            refusals=(CUSTODY_ACCOUNT_UNKNOWN, COIN_NOT_ADMITTED, CUSTODY_FROM_HOUSE, WITHDRAWAL_REUSED),
            decide=_debit,
            required_keys=_holder,
        ),
    ),
)
