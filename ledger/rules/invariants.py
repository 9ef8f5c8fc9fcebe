"""What must always hold, as code: used by tests, replay and audit (design D11)."""

from ledger.model.accounts import CONTRA
from ledger.rules.tables import ACCOUNTS, ASSETS, BALANCES
from ledger.state import Overlay, View
from ledger.units import BALANCE_MAX


class InvariantBroken(Exception):
    """A fact that must always hold does not; nothing may go on."""


def check_conservation(view: View) -> None:
    """Check, for each asset, that issued minus redeemed equals what is held, and that nothing is below zero.

    Raises:
        InvariantBroken: naming the asset or account, expected and found.
    """
    circulating: dict[str, int] = {}
    held: dict[str, int] = {}
    for account_id, account in view.items(ACCOUNTS):
        balance = view.get(BALANCES, account_id) or 0
        check_balance(account_id, balance)
        sums = circulating if account.account_class == CONTRA else held
        sums[account.asset] = sums.get(account.asset, 0) + balance
    for asset_id, asset in view.items(ASSETS):
        if circulating.get(asset_id, 0) != held.get(asset_id, 0):
            raise InvariantBroken(
                f"asset {asset_id}: {circulating.get(asset_id, 0)} issued and not redeemed by {asset.contra}, "
                f"{held.get(asset_id, 0)} held"
            )


def check_block(before: View, overlay: Overlay) -> None:
    """Check the accounts whose balance one block set: none below zero, and conservation of the change.

    Args:
        before: the state the block was decided on.
        overlay: what the block changes.

    Raises:
        InvariantBroken: naming the asset or account.
    """
    balances = overlay.written(BALANCES)
    accounts = overlay.get_many(ACCOUNTS, balances.keys())
    assert len(accounts) == len(balances), "a balance belongs to an account"
    old = before.get_many(BALANCES, balances.keys())
    if balances and not (min(balances.values()) >= 0 and max(balances.values()) <= BALANCE_MAX):
        wrong = [item for item in balances.items() if not 0 <= item[1] <= BALANCE_MAX]
        check_balance(*wrong[0])
    change: dict[str, int] = {}
    for account_id, account in accounts.items():
        moved = balances[account_id] - old.get(account_id, 0)
        asset = account.asset
        change[asset] = change.get(asset, 0) + (-moved if account.account_class == CONTRA else moved)
    for asset_id, sum_of_changes in change.items():
        if sum_of_changes != 0:
            raise InvariantBroken(f"asset {asset_id}: one block created {sum_of_changes}")


def check_balance(account_id: str, balance: int) -> None:
    """Check that one balance is in its bounds.

    Raises:
        InvariantBroken: naming the account.
    """
    if not 0 <= balance <= BALANCE_MAX:
        raise InvariantBroken(f"account {account_id} holds {balance}, expected 0 to {BALANCE_MAX}")
