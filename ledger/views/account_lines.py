"""The lines of accounts: gathered from entries in any order of accounts, then put onto each account's chain.

Balances are folded here from what moved, apart from the state that decided it; the follower compares the two.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ledger.units import AccountId
from ledger.views.schema import LINES_PER_ANCHOR, LINES_PER_LINK

Lines = list[int]
"""Lines of one account in order, two numbers each: leaf index, and what was credited (less than zero: debited)."""

_LINK_NUMBERS: Final = 2 * LINES_PER_LINK

encode_lines: Final = msgspec.msgpack.Encoder().encode
"""Lines as a link keeps them."""

decode_lines: Final = msgspec.msgpack.Decoder(Lines).decode
"""The lines of a link."""

AccountHead = tuple[AccountId, int, int, int, int, bytearray]
"""The end of an account's chain, a row of ``view_account_heads``: account, line count, balance, credit sign, newest
link, tail. Plain tuples and byte arrays, because Python's SQLite driver takes those in without looking for adapters."""

AccountLink = tuple[int, AccountId, int, int, int, bytearray]
"""A row of ``view_account_links``: last leaf, account, last leaf of the link before, number of the last line, balance
after it, lines."""

AccountAnchor = tuple[AccountId, int, int]
"""A row of ``view_account_anchors``: account, number of a line, its leaf."""


@dataclass(slots=True)
class Chained:
    """What changes when lines are put onto the chains of their accounts."""

    heads: dict[AccountId, AccountHead] = field(default_factory=dict)
    """The new head of each account that got lines, in the order of accounts."""
    links: list[AccountLink] = field(default_factory=list)
    anchors: list[AccountAnchor] = field(default_factory=list)


def chain_lines(
    new_lines: Mapping[AccountId, Lines],
    *,
    heads: Mapping[AccountId, AccountHead],
    contra: Container[AccountId],
) -> Chained:
    """Put new lines onto the chains of their accounts.

    Args:
        new_lines: of each account that has some, in order.
        heads: of those accounts that have lines already.
        contra: accounts that a debit adds to (design D11).
    """
    chained = Chained()
    for account in sorted(new_lines):
        new = new_lines[account]
        head = heads.get(account)
        if head is None:
            lines, line_count, balance, credit_sign, link = new, 0, 0, -1 if account in contra else 1, 0
        else:
            _, line_count, balance, credit_sign, link, tail = head
            lines = decode_lines(tail) + new
        line_count += len(new) // 2
        balance += credit_sign * sum(new[1::2])
        if len(lines) >= _LINK_NUMBERS:
            after = (account, line_count, balance, credit_sign, link, bytearray())
            link, lines = _cut_links(chained, after, lines)
        chained.heads[account] = (account, line_count, balance, credit_sign, link, bytearray(encode_lines(lines)))
    # In the order of the log, so that they are appended to the table.
    chained.links.sort()
    return chained


def _cut_links(chained: Chained, after: AccountHead, lines: Lines) -> tuple[int, Lines]:
    """Add the full links of an account's lines; the newest of them, and the lines left over.

    Args:
        chained: gets the links.
        after: the account after all its lines, and its newest link so far.
        lines: those after that link.
    """
    account, line_count, final_balance, credit_sign, previous, _ = after
    number = line_count - len(lines) // 2
    balance = final_balance - credit_sign * sum(lines[1::2])
    for start in range(0, len(lines) - _LINK_NUMBERS + 1, _LINK_NUMBERS):
        full = lines[start : start + _LINK_NUMBERS]
        leaf = full[-2]
        number += LINES_PER_LINK
        balance += credit_sign * sum(full[1::2])
        chained.links.append((leaf, account, previous, number, balance, bytearray(encode_lines(full))))
        if number % LINES_PER_ANCHOR == 0:
            chained.anchors.append((account, number, leaf))
        previous = leaf
    return previous, lines[len(lines) // _LINK_NUMBERS * _LINK_NUMBERS :]
