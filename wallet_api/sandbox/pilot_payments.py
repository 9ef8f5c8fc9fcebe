"""Second act: wallets are opened and funded by bulk, and their holders pay each other."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.transfers import Transfer
from ledger.units import AccountId
from wallet_api.sandbox.pilot_plan import BANKS, DATES, PAYMENT_TIYN, WALLET_TIYN
from wallet_api.sandbox.pilot_stage import Stage, account_of, own_account


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet and the bank that keeps it."""

    bank: str
    account: AccountId


def play_wallets(stage: Stage) -> None:
    """Open the wallets and fund them: one signature for each bank."""
    stage.show.act("Wallets: opened and funded by bulk")
    stage.move_to(DATES[0], 10)
    wallets = wallets_of(stage)
    for plan in BANKS:
        member = stage.member(plan.participant)
        accounts = [wallet.account for wallet in wallets if wallet.bank == plan.participant]
        new = tuple(
            NewAccount(account=account, asset=TENGE, account_class="wallet", holder=f"holder-{account[-5:]}")
            for account in accounts
        )
        stage.do(plan.participant, "account_open", AccountOpen(accounts=new))
        lines = tuple(
            Line(debit=own_account(member), credit=account, amount=WALLET_TIYN, label=f"fund-{account[-5:]}")
            for account in accounts
        )
        started = time.monotonic()
        receipt = stage.do(plan.participant, "bulk_transfer", BulkTransfer(asset=TENGE, is_atomic=True, lines=lines))
        seconds = time.monotonic() - started
        stage.tally.speeds.append((f"bulk funding by {member.name}", receipt.leaf_count, seconds))
        stage.show.step(f"{member.name}: {len(accounts):,} wallets opened and funded under one signature each")


def play_payments(stage: Stage, *, title: str = "Payments: wallet to wallet, each signed singly") -> None:
    """Pay singly, from several threads at once, each with a signature and a proven receipt of its own."""
    stage.show.act(title)
    wallets = wallets_of(stage)
    count = len(wallets)
    # The payee lies one to count-1 places further on, never at the payer's own; most payments cross banks.
    payments = [
        (wallets[index % count], wallets[(index + 1 + index % (count - 1)) % count])
        for index in range(stage.scale.payments)
    ]
    advance = stage.show.bar("single payments", len(payments))
    started = time.monotonic()
    _pay_all(stage, payments, advance)
    seconds = time.monotonic() - started
    stage.tally.speeds.append(("single payments", len(payments), seconds))
    stage.check_logs()
    stage.show.step(f"{len(payments):,} payments, every receipt verified, every checkpoint consistent")


def wallets_of(stage: Stage) -> list[Wallet]:
    """Return the wallets of the pilot, spread over the banks in turn."""
    return [
        Wallet(bank.participant, account_of(stage.member(bank.participant), f"w{number:05d}"))
        for number in range(stage.scale.wallets)
        for bank in (BANKS[number % len(BANKS)],)
    ]


def _pay_all(stage: Stage, payments: Sequence[tuple[Wallet, Wallet]], advance: Callable[[int], None]) -> None:
    lock = threading.Lock()

    def pay(payment: tuple[Wallet, Wallet]) -> None:
        payer, payee = payment
        body = Transfer(debit=payer.account, credit=payee.account, asset=TENGE, amount=PAYMENT_TIYN)
        stage.do(payer.bank, "transfer", body)
        with lock:
            advance(1)

    with ThreadPoolExecutor(stage.scale.threads, thread_name_prefix="payer") as pool:
        for done in [pool.submit(pay, payment) for payment in payments]:
            done.result()
