"""Posting a bulk over columns: beside the plain path, which it must equal, and several times as fast.

A line between two *ordinary* accounts needs no more than its arithmetic: that the debit leaves nothing below zero and
the credit nothing above the bound. What makes an account ordinary is asked once for each account of the bulk, not for
each line. Every other line, and every line whose arithmetic says no, goes the plain way (``posting.post``), so a
refusal is never made here: its code, its detail and the order of checks stand in one place. The plain path over the
same lines is ``posting.post_lines``; a property test holds the two together.
"""

import operator
from collections.abc import Collection, Iterable

from ledger.model.accounts import Account, AccountStatus
from ledger.model.journal import Pairs
from ledger.model.outcome import RefusalCode, Refused
from ledger.rules.module import Guard, Submitted
from ledger.rules.posting import post
from ledger.rules.tables import ACCOUNTS, BALANCES
from ledger.state import Overlay, View
from ledger.units import BALANCE_MAX


def post_pairs(
    overlay: Overlay,
    submitted: Submitted,
    pairs: Pairs,
    guards: Iterable[Guard],
    ordinary_classes: Collection[str],
    *,
    is_atomic: bool,
) -> dict[int, RefusalCode] | Refused:
    """Post the lines of a bulk in order, each seeing the former (design D17).

    Args:
        overlay: gains the balances; nothing if the whole bulk is refused.
        submitted: the bulk at its place in the order.
        pairs: its lines.
        guards: those of the rulebook, for lines that are not ordinary.
        ordinary_classes: account classes that no guard watches and that are not client money.
        is_atomic: whether one refused line refuses all.

    Returns:
        The code of each refused line, or the refusal of an atomic bulk.
    """
    assert not any(map(operator.eq, pairs.debits, pairs.credits)), "a kind proposes pairs of two accounts"
    target = Overlay(overlay) if is_atomic else overlay
    payers, balances = _ordinary(overlay, submitted, pairs, ordinary_classes)
    refused_lines: dict[int, RefusalCode] = {}
    moved: set[str] = set()
    """Ordinary accounts whose balance here is ahead of the overlay's."""
    noted = 0
    """Lines up to this one are noted in ``moved``."""
    for line, (debit, credit, amount) in enumerate(zip(pairs.debits, pairs.credits, pairs.amounts, strict=True)):
        if debit in payers and credit in balances:
            left = balances[debit] - amount
            raised = balances[credit] + amount
            if left >= 0 and raised <= BALANCE_MAX:
                balances[debit] = left
                balances[credit] = raised
                continue
        # The plain path sees what the lines before left, and the lines behind see what it leaves.
        moved.update(pairs.debits[noted:line], pairs.credits[noted:line])
        noted = line + 1
        for account in moved.intersection((debit, credit)):
            target.put(BALANCES, account, balances[account])
        refused = post(target, submitted, pairs.entry(line), guards)
        if refused is None:
            for account in balances.keys() & {debit, credit}:
                balances[account] = target.get(BALANCES, account) or 0
        elif is_atomic:
            return Refused(refused.code, line, f"line {line}: {refused.detail}")
        else:
            refused_lines[line] = refused.code
    if noted:
        moved.update(pairs.debits[noted:], pairs.credits[noted:])
        balances = {account: balances[account] for account in moved}
    # Where no line took the plain path, every account of the bulk is ordinary and was moved.
    target.put_many(BALANCES, balances)
    if is_atomic:
        overlay.absorb(target)
    return refused_lines


def _ordinary(
    view: View, submitted: Submitted, pairs: Pairs, ordinary_classes: Collection[str]
) -> tuple[set[str], dict[str, int]]:
    """Return the accounts a line may debit without another question, and the balances of those it may credit so.

    The former are among the latter.
    """
    accounts: dict[str, Account] = view.get_many(ACCOUNTS, {*pairs.debits, *pairs.credits})
    sender, asset = submitted.signed.transaction.participant, pairs.asset
    closed, is_open = AccountStatus.CLOSED, AccountStatus.OPEN
    payers: set[str] = set()
    balances: dict[str, int] = {}
    for account_id, account in accounts.items():
        status = account.status
        if status is not closed and account.asset == asset and account.account_class in ordinary_classes:
            balances[account_id] = 0
            if status is is_open and account.owner == sender and account.holder_key is None:
                payers.add(account_id)
    balances.update(view.get_many(BALANCES, balances.keys()))
    return payers, balances
