"""The one table of what client money and coins move for. The guard of segregation asks it for every entry.

Suspense is in it by not being there: what waits for a sale stays on its owner's account and is counted beside the
balance (``set_aside``), so no account of the exchange ever holds money between two clients. Tax in escrow is on an
account of its own that is bound to the tax authority's key, and the only ways out of it stand below.
"""

from typing import Final

from ledger.model.accounts import CONTRA
from ledger.rules.accounts import OWN, WALLET
from settlement.model.custody import FEE_PPM_MAX
from settlement.model.purposes import Move, Purpose, Whose, destinations
from settlement.rules.classes import (
    BUYER_CLASSES,
    CLASSES,
    CLIENT_SEGREGATED,
    FEE,
    HOUSE,
    MINER_PROCEEDS,
    SELLER_CLASSES,
    TAX_ESCROW,
)

CLIENT_CLASSES: Final = tuple(each.name for each in CLASSES if each.is_client)
"""Classes out of which nothing moves but by the table."""

_SELLERS: Final = tuple(name for name in CLIENT_CLASSES if name in SELLER_CLASSES)
_BUYERS: Final = tuple(name for name in CLIENT_CLASSES if name in BUYER_CLASSES)
_SALES: Final = ("dvp_settle", "dvp_complete", "dvp_batch")
_INSTRUCTED: Final = ("dvp_complete", "dvp_batch")
_PAYMENTS: Final = ("transfer", "journal_entry", "bulk_transfer")

COURT_PAYEES: Final = (CLIENT_SEGREGATED.name, MINER_PROCEEDS.name, TAX_ESCROW.name, WALLET.name, OWN.name)
"""Classes that an order pays tenge to. An affiliate is not among them: nobody lends by way of a court."""

COURT_COIN_PAYEES: Final = (CLIENT_SEGREGATED.name, MINER_PROCEEDS.name)
"""Classes that an order moves coins to."""

TABLE: Final = (
    Move(
        Purpose.FUND_IN,
        ("tenge",),
        (WALLET.name, OWN.name),
        CLIENT_CLASSES,
        _PAYMENTS,
        Whose.NAMED,
        "nothing: anybody may pay in",
    ),
    Move(
        Purpose.MAKE_GOOD,
        ("tenge",),
        (HOUSE.name, FEE.name, OWN.name),
        CLIENT_CLASSES,
        _PAYMENTS,
        Whose.NAMED,
        "nothing: the exchange's own money; what goes to affiliates is summed for the supervisor",
    ),
    Move(
        Purpose.COIN_IN,
        ("coins",),
        (CONTRA,),
        CLIENT_CLASSES,
        ("custody_credit",),
        Whose.NAMED,
        "the reserve that an auditor attested",
    ),
    Move(
        Purpose.DVP_BUY,
        ("tenge",),
        _BUYERS,
        _SELLERS,
        _SALES,
        Whose.COUNTERPARTY,
        "the buyer's mandate: coin, limit price, maximum, expiry; the coins come in the same entry",
    ),
    Move(
        Purpose.DVP_SELL,
        ("coins",),
        _SELLERS,
        _BUYERS,
        _SALES,
        Whose.COUNTERPARTY,
        "the seller's mandate; the tenge comes at the same place of the order",
    ),
    Move(
        Purpose.FEE,
        ("tenge",),
        _BUYERS,
        (FEE.name,),
        _SALES,
        Whose.EXCHANGE,
        f"the posted tariff, at most {FEE_PPM_MAX:,} parts per million of a sale, raised after notice only",
    ),
    Move(
        Purpose.TAX,
        ("tenge",),
        _BUYERS,
        (TAX_ESCROW.name,),
        _INSTRUCTED,
        Whose.STATE,
        "the seller's mandate, for tax counts as price not received; an account that a supervisor confirmed",
    ),
    Move(
        Purpose.TAX,
        ("tenge",),
        _BUYERS,
        (WALLET.name, OWN.name),
        _INSTRUCTED,
        Whose.STATE,
        "the same; an account registered as the treasury's, never one of the exchange itself",
    ),
    Move(
        Purpose.REVERSAL,
        ("coins",),
        _BUYERS,
        _SELLERS,
        ("dvp_reverse",),
        Whose.COUNTERPARTY,
        "what the sale moved, back to where it came from; both holders, or a supervisor's order",
    ),
    Move(
        Purpose.REVERSAL,
        ("tenge",),
        CLIENT_CLASSES,
        _BUYERS,
        ("dvp_reverse",),
        Whose.COUNTERPARTY,
        "the same; tax leaves the escrow with the signature of its owner",
    ),
    Move(
        Purpose.FUND_OUT_SAME_OWNER,
        ("tenge",),
        CLIENT_CLASSES,
        (WALLET.name,),
        ("client_return",),
        Whose.SAME,
        "the balance; holder and receiving bank sign, the bank for whose wallet it is",
    ),
    Move(
        Purpose.COIN_OUT,
        ("coins",),
        CLIENT_CLASSES,
        (CONTRA,),
        ("custody_debit",),
        Whose.SAME,
        "the balance; the holder signs",
    ),
    Move(
        Purpose.COURT_ORDER,
        ("tenge",),
        CLIENT_CLASSES,
        COURT_PAYEES,
        ("court_order_debit",),
        Whose.NAMED,
        "the sum of the order; two signatories of a supervisor; never an account of an exchange's own, or an affiliate",
    ),
    Move(
        Purpose.COURT_ORDER,
        ("coins",),
        CLIENT_CLASSES,
        COURT_COIN_PAYEES,
        ("court_order_debit",),
        Whose.NAMED,
        "the same",
    ),
    Move(
        Purpose.WINDDOWN_DISTRIBUTION,
        ("tenge",),
        CLIENT_CLASSES,
        (WALLET.name,),
        ("winddown_pay",),
        Whose.SAME,
        "the balance; two signatories of the administrator, the receiving bank, and the holder or a supervisor's order",
    ),
)
"""Every move into and out of accounts of client classes."""

DESTINATIONS: Final = destinations(TABLE, CLIENT_CLASSES)
"""Kind, client class that is debited, tenge or coins: the classes that may be credited."""

PERMITTED_KINDS: Final = frozenset(kind for kind, _, _ in DESTINATIONS)
"""Kinds that may debit accounts of client classes, each within its own rules."""

ORDERED_KINDS: Final = frozenset({"court_order_debit", "winddown_pay"})
"""Kinds that may debit a client's account without a holder key: an order stands in for the consent nobody can give."""
