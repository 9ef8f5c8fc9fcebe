"""The distribution file of a wind-down, and a drill of it: what an exchange owes each client, from the ledger alone.

Both are pure functions of a state. A drill plays on an overlay that nobody takes in, so it changes nothing and may be
run on any day, at an exchange that is well. Clients stand under the exchange's pseudonyms; whose they are, its own
records say, and the bank that signs for each wallet.

Tenge is there to the last tiyn, for it lies on the clients' own accounts. Coins are what the exchange owes: where an
auditor saw less than that, each claim is met in proportion, rounded down, and the file says so. Assets are never
netted. What moved after the file was made is not in it; it names nothing but what the state holds.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from ledger.crypto import canonical
from ledger.model.accounts import Account, AccountStatus
from ledger.model.assets import TENGE
from ledger.model.outcome import Refused
from ledger.rules.tables import ACCOUNTS, BALANCES, ledger_of
from ledger.state import Overlay, View
from ledger.units import AccountId, AssetId, ParticipantId, TimestampUs
from settlement.model.instructions import OPEN_STATUSES
from settlement.model.winddown import AssetTotal, Distribution, DistributionLine, Drill
from settlement.rules.purposes import CLIENT_CLASSES
from settlement.rules.tables import ATTESTATIONS, INSTRUCTIONS, RESERVED
from settlement.rules.winddown import needs_order, unwound

COLUMNS: Final = (
    "exchange",
    "holder",
    "account",
    "account_class",
    "asset",
    "balance",
    "set_aside",
    "payable",
    "share",
    "needs_order",
    "is_frozen",
)
"""Columns of the file; a share is written as ``1/3``, a truth as ``true``."""


def distribution(view: View, exchange: ParticipantId) -> Distribution:
    """Return what an exchange owes each of its clients. It looks at every account: not for rules.

    Args:
        view: the state.
        exchange: whose clients.
    """
    held = sorted(
        (
            (AccountId(name), account, balance)
            for name, account in view.items(ACCOUNTS)
            if account.owner == exchange
            and account.account_class in CLIENT_CLASSES
            and (balance := view.get(BALANCES, name) or 0)
        ),
        key=lambda row: (row[1].asset, row[1].holder or "", row[0]),
    )
    owed: dict[AssetId, int] = {}
    for _, account, balance in held:
        owed[account.asset] = owed.get(account.asset, 0) + balance
    totals = {
        asset: AssetTotal(asset=asset, owed=total, backing=_backing(view, asset, total))
        for asset, total in owed.items()
    }
    return Distribution(
        exchange=exchange,
        totals=tuple(totals.values()),
        lines=tuple(_line(view, name, account, balance, totals[account.asset]) for name, account, balance in held),
    )


def drill(view: View, exchange: ParticipantId, *, time_us: TimestampUs) -> Drill:
    """Return what a wind-down of an exchange would come to now. Nothing is changed.

    Args:
        view: the state.
        exchange: which one; it need not have failed.
        time_us: the moment of the drill.
    """
    after = Overlay(view)
    date = ledger_of(view).business_date
    prefix = f"{exchange}/"
    open_sales = sorted(
        key.removeprefix(prefix)
        for key, instruction in view.items(INSTRUCTIONS)
        if key.startswith(prefix) and instruction.status in OPEN_STATUSES
    )
    for trade in open_sales:
        changes = unwound(after, exchange, trade, time_us=time_us, business_date=date)
        assert not isinstance(changes, Refused), "the sale is open"
        for table, key, value in changes:
            after.put(table, key, value)
    made = distribution(after, exchange)
    tenge = [line for line in made.lines if line.asset == TENGE]
    payable = [line for line in tenge if not line.is_frozen]
    return Drill(
        exchange=exchange,
        open_sales=tuple(open_sales),
        released=sum(view.get(RESERVED, line.account) or 0 for line in tenge),
        distribution=made,
        lines_by_consent=sum(not line.needs_order for line in payable),
        lines_by_order=sum(line.needs_order for line in payable),
        lines_frozen=len(tenge) - len(payable),
        short=tuple(total for total in made.totals if total.backing < total.owed),
    )


def as_json(made: Distribution | Drill) -> bytes:
    """Return a distribution or drill as canonical JSON."""
    return canonical.encode(made)


def as_csv(made: Distribution) -> str:
    """Return a distribution as CSV with a line of names; no cell holds a comma, a quote or a line end."""
    return "".join(f"{','.join(row)}\n" for row in (COLUMNS, *(_cells(made, line) for line in made.lines)))


def _backing(view: View, asset: AssetId, owed: int) -> int:
    if asset == TENGE:
        return owed
    attestation = view.get(ATTESTATIONS, asset)
    return 0 if attestation is None else attestation.quantity


def _line(view: View, name: AccountId, account: Account, balance: int, total: AssetTotal) -> DistributionLine:
    share = Fraction(balance, total.owed)
    return DistributionLine(
        holder=account.holder,
        account=name,
        account_class=account.account_class,
        asset=account.asset,
        balance=balance,
        set_aside=view.get(RESERVED, name) or 0,
        payable=int(balance * total.covered),
        share=(share.numerator, share.denominator),
        needs_order=needs_order(account),
        is_frozen=account.status is AccountStatus.FROZEN,
    )


def _cells(made: Distribution, line: DistributionLine) -> Iterable[str]:
    return (
        made.exchange,
        line.holder or "",
        line.account,
        line.account_class,
        line.asset,
        str(line.balance),
        str(line.set_aside),
        str(line.payable),
        "/".join(str(part) for part in line.share),
        str(line.needs_order).lower(),
        str(line.is_frozen).lower(),
    )
