"""Coins: registered once with their scale, then admitted exchange by exchange as something that exchange owes."""

from ledger.model.accounts import CONTRA, Account, has_valid_check_digits, participant_code
from ledger.model.assets import TENGE, Asset
from ledger.model.outcome import RefusalCode, Refused
from ledger.model.record import Record
from ledger.rules.accounts import ACCOUNT_CHECK_DIGITS_WRONG, ACCOUNT_CODE_FOREIGN, ACCOUNT_EXISTS
from ledger.rules.module import Kind, Proposal, RuleModule, Submitted
from ledger.rules.tables import ACCOUNTS, ASSETS, PARTICIPANTS
from ledger.state import View
from ledger.units import AccountField, AssetId, LabelField, ParticipantId, TimestampUs
from settlement.model.intervals import was_active
from settlement.model.registers import Coin, CoinField, ScaleField
from settlement.rules.tables import COINS, EXCHANGES, WIND_DOWNS

ISSUANCE_KINDS = ("custody_credit", "custody_debit")
"""Kinds that move coins in and out of what an exchange owes."""


class RegistryCoin(Record, frozen=True, kw_only=True):
    """Register a coin: its scale is the same at every exchange, for ever."""

    coin: CoinField
    scale: ScaleField
    issued_by: LabelField | None = None
    """For a token that an exchange, or a firm of its group, issued itself: who."""


class CoinAdmit(Record, frozen=True, kw_only=True):
    """Admit a coin to trading at the sender: makes the asset ``<coin>:<exchange>``."""

    coin: CoinField
    contra: AccountField
    """Account id for what is in circulation; carries the exchange's code."""


COIN_SYMBOL_RESERVED = RefusalCode("coin_symbol_reserved", "The symbol is that of the tenge.")
COIN_REGISTERED = RefusalCode("coin_registered", "A coin of this symbol is registered.")
COIN_UNKNOWN = RefusalCode("coin_unknown", "No coin of this symbol is registered.")
VENUE_LICENCE_INVALID = RefusalCode(
    "venue_licence_invalid", "The exchange was not registered and active at that moment.", iso="AG01"
)
OWN_TOKEN_NOT_ADMITTED = RefusalCode(
    "own_token_not_admitted", "A token issued by an exchange or its group is not admitted.", iso="AG01"
)
COIN_ADMITTED = RefusalCode("coin_admitted", "The coin is admitted at this exchange.")


def coin_asset(coin: str, exchange: ParticipantId) -> AssetId:
    """Return the asset in which an exchange owes a coin."""
    return AssetId(f"{coin}:{exchange}")


def refuse_venue(view: View, exchange_id: ParticipantId, *moments: TimestampUs) -> Refused | None:
    """Refuse unless the exchange is registered and active at all the moments, and was not being wound down."""
    exchange = view.get(EXCHANGES, exchange_id)
    wind_down = view.get(WIND_DOWNS, exchange_id)
    for moment in moments:
        if wind_down is not None and wind_down.stands_at(moment):
            return Refused(VENUE_LICENCE_INVALID, detail=f"exchange {exchange_id} was being wound down at {moment}")
        if exchange is None or not was_active(exchange.history, moment):
            return Refused(VENUE_LICENCE_INVALID, detail=f"exchange {exchange_id} was not active at {moment}")
    return None


def _register(view: View, submitted: Submitted) -> Proposal | Refused:
    body: RegistryCoin = submitted.signed.body
    if body.coin == TENGE:
        return Refused(COIN_SYMBOL_RESERVED, detail=f"symbol {body.coin}")
    if view.get(COINS, body.coin) is not None:
        return Refused(COIN_REGISTERED, detail=f"coin {body.coin}")
    coin = Coin(scale=body.scale, issued_by=body.issued_by)
    return Proposal(changes=((COINS, body.coin, coin),), record={})


def _admit(view: View, submitted: Submitted) -> Proposal | Refused:
    body: CoinAdmit = submitted.signed.body
    exchange = submitted.signed.transaction.participant
    asset_id = coin_asset(body.coin, exchange)
    if refused := refuse_venue(view, exchange, submitted.time_us):
        return refused
    coin = view.get(COINS, body.coin)
    if coin is None:
        return Refused(COIN_UNKNOWN, detail=f"coin {body.coin}")
    if coin.issued_by is not None:
        return Refused(OWN_TOKEN_NOT_ADMITTED, detail=f"{body.coin} was issued by {coin.issued_by}")
    if view.get(ASSETS, asset_id) is not None:
        return Refused(COIN_ADMITTED, detail=f"asset {asset_id}")
    if refused := _refuse_contra(view, body.contra, exchange):
        return refused
    asset = Asset(asset=asset_id, scale=coin.scale, contra=body.contra, issuer=exchange, issuance_kinds=ISSUANCE_KINDS)
    contra = Account(asset=asset_id, owner=exchange, account_class=CONTRA)
    return Proposal(changes=((ASSETS, asset_id, asset), (ACCOUNTS, body.contra, contra)), record={"asset": asset_id})


def _refuse_contra(view: View, contra: AccountField, exchange: ParticipantId) -> Refused | None:
    participant = view.get(PARTICIPANTS, exchange)
    assert participant is not None, "the sender is admitted"
    if not has_valid_check_digits(contra):
        return Refused(ACCOUNT_CHECK_DIGITS_WRONG, detail=f"account {contra}")
    if participant_code(contra) != participant.code:
        return Refused(ACCOUNT_CODE_FOREIGN, detail=f"expected code {participant.code} in {contra}")
    # Looked at last: whether an account of others exists is nobody's to know (design D26).
    if view.get(ACCOUNTS, contra) is not None:
        return Refused(ACCOUNT_EXISTS, detail=f"account {contra}")
    return None


MODULE = RuleModule(
    name="coins",
    meaning="Coins, and where they are admitted to trading.",
    tables=(COINS,),
    kinds=(
        Kind(
            name="registry_coin",
            body=RegistryCoin,
            meaning="Register a coin with its scale.",
            refusals=(COIN_SYMBOL_RESERVED, COIN_REGISTERED),
            decide=_register,
        ),
        Kind(
            name="coin_admit",
            body=CoinAdmit,
            meaning="Admit a coin to trading at the sender.",
            refusals=(
                VENUE_LICENCE_INVALID,
                COIN_UNKNOWN,
                OWN_TOKEN_NOT_ADMITTED,
                COIN_ADMITTED,
                ACCOUNT_CHECK_DIGITS_WRONG,
                ACCOUNT_CODE_FOREIGN,
                ACCOUNT_EXISTS,
            ),
            decide=_admit,
        ),
    ),
)
