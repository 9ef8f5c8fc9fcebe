"""What speaks against sales, looked for in an export's leaves beside the ledger's state.

A search is a reading: it changes nothing. An authority or the operator puts what it believes on record (`claim_flag`).
"""

import itertools
from collections.abc import Iterable
from typing import Final

import msgspec

from ledger.model.accounts import Account
from ledger.model.journal import Leaf
from ledger.rules.tables import ACCOUNTS
from ledger.state import View
from ledger.units import AccountId, TimestampUs
from settlement.model.parties import client_party
from settlement.model.trades import QuotaClaim
from settlement.quota.flags import SAME, Alert, Parties, alerts, settled_sales
from settlement.quota.flows import Flow, flows_of
from settlement.rules.parties import related
from settlement.rules.prices import price_on
from settlement.rules.quota_policies import flag_policies
from settlement.rules.tables import CLAIMS, MINER_ACCOUNTS

REVERSING_KINDS: Final = frozenset({"dvp_reverse"})
"""Kinds that move both legs of a busted trade back: no round trip."""


def quota_alerts(view: View, leaves: Iterable[Leaf]) -> tuple[Alert, ...]:
    """Return what speaks against the sales whose entries are among some leaves, in the order of the claims' keys.

    Args:
        view: the state.
        leaves: in the order of the log; what came back after the last of them is not seen.
    """
    flows = list(flows_of(leaves))
    behind = _Behind(view, flows)
    claims = [(key, _with_published_price(view, claim)) for key, claim in view.items(CLAIMS)]
    sales = settled_sales(claims, flows, behind.party_of)
    return alerts(
        sales,
        flows,
        Parties(party_of=behind.party_of, related=behind.related),
        policies=flag_policies(view),
        passed_over=REVERSING_KINDS,
    )


def _with_published_price(view: View, claim: QuotaClaim) -> QuotaClaim:
    """The claim with the price the ledger holds for the day of execution; without one, with that the exchange named."""
    published = price_on(view, claim.coin, claim.executed_on)
    return claim if published is None else msgspec.structs.replace(claim, reference_price=published.price)


class _Behind:
    """Who is behind the accounts of some flows. Accounts bound to one key are one party's, whoever keeps them."""

    def __init__(self, view: View, flows: Iterable[Flow]) -> None:
        self._view = view
        self._parties: dict[AccountId, str] = {}
        self._names: dict[str, list[str]] = {}
        """Party to all the names under which its relations may be registered."""
        self._relations: dict[tuple[str, str, TimestampUs], str | None] = {}
        by_key: dict[str, str] = {}
        for account_id in dict.fromkeys(each for flow in flows for each in (flow.debited, flow.credited)):
            account = view.get(ACCOUNTS, account_id)
            assert account is not None, "what was posted on exists"
            name = self._name_of(account_id, account)
            party = name if account.holder_key is None else by_key.setdefault(account.holder_key, name)
            self._parties[account_id] = party
            names = self._names.setdefault(party, [])
            if name not in names:
                names.append(name)

    def _name_of(self, account_id: AccountId, account: Account) -> str:
        """The miner, the client or bank customer under its keeper, or the participant itself."""
        miner = self._view.get(MINER_ACCOUNTS, account_id)
        if miner is not None:
            return miner
        return account.owner if account.holder is None else client_party(account.owner, account.holder)

    def party_of(self, account_id: AccountId) -> str:
        return self._parties[account_id]

    def related(self, one: str, other: str, moment: TimestampUs) -> str | None:
        if one == other:
            return SAME
        asked = one, other, moment
        if asked not in self._relations:
            pairs = itertools.product(self._names[one], self._names[other])
            kinds = (related(self._view, a, b, moment) for a, b in pairs)
            self._relations[asked] = next((kind for kind in kinds if kind is not None), None)
        return self._relations[asked]
