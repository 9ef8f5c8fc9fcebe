"""Account classes at exchanges. No class goes below zero and no account is exempt from that (design D12)."""

from typing import Final

from ledger.model.participants import Role
from ledger.rules.accounts import OWN
from ledger.rules.module import AccountClass

_EXCHANGE: Final = frozenset({Role.EXCHANGE})

CLIENT_SEGREGATED: Final = AccountClass("client_segregated", _EXCHANGE, "Money or coins of one client.", is_client=True)
MINER_PROCEEDS: Final = AccountClass(
    "miner_proceeds",
    _EXCHANGE,
    "Mined coins of a miner and what their sale brought; the holder is the miner's participant id.",
    is_client=True,
)
AFFILIATE_CLIENT: Final = AccountClass(
    "affiliate_client",
    _EXCHANGE,
    "Money or coins of a client related to the exchange: a client like any other, and watched.",
    is_client=True,
)
TAX_ESCROW: Final = AccountClass(
    "tax_escrow",
    _EXCHANGE,
    "Tax kept out of sales: the tax authority's money, bound to its key.",
    is_client=True,
)
HOUSE: Final = AccountClass("house", _EXCHANGE, "Money of the exchange itself.")
FEE: Final = AccountClass("fee", _EXCHANGE, "Fees the exchange has earned.")

HOUSE_CLASSES: Final = frozenset({HOUSE.name, FEE.name, OWN.name})
"""Classes whose money belongs to the exchange."""

SELLER_CLASSES: Final = frozenset({CLIENT_SEGREGATED.name, MINER_PROCEEDS.name, AFFILIATE_CLIENT.name})
"""Who may sell coins."""

BUYER_CLASSES: Final = frozenset({CLIENT_SEGREGATED.name, AFFILIATE_CLIENT.name})
"""Who may buy coins: not on a miner's account, so that the coins in it are mined ones."""

CLASSES: Final = (CLIENT_SEGREGATED, MINER_PROCEEDS, AFFILIATE_CLIENT, TAX_ESCROW, HOUSE, FEE)
