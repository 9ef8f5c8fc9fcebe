"""Last acts: tenge go back to a client and are redeemed; another process verifies the exported log."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ledger.rules.issuance import Redeem
from settlement.rules.segregation import ClientReturn
from wallet_api.sandbox.pilot_accounts import buyer_wallet, desk
from wallet_api.sandbox.pilot_opening import COIN
from wallet_api.sandbox.pilot_plan import (
    BUYERS,
    DATES,
    EXPECTED_QUOTA,
    ISSUED_TIYN,
    REDEEMED_TIYN,
    TENGE_TIYN,
    QuotaResult,
    tenge_text,
)
from wallet_api.sandbox.pilot_stage import Stage, UnexpectedEnd, own_account

RETURNED_TIYN = 50_000_000 * TENGE_TIYN
"""What a buyer takes back to its own wallet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the pilot ends with, as the node answers it."""

    quotas: dict[str, QuotaResult]
    quota_note: str
    """What the statements say of their legal basis."""
    in_circulation_tiyn: int
    verification: dict[str, Any]
    """What `tenge verify ledger --json` answered."""
    export: Path


def play_redemption(stage: Stage, date: str) -> None:
    """A client takes tenge back to its own wallet; a bank redeems against reserves."""
    stage.show.act("Return and redemption")
    stage.move_to(date, 18)
    buyer = BUYERS[0]
    own = desk(stage, buyer.holder, buyer.exchange)
    back = ClientReturn(
        account=own.tenge,
        credit=buyer_wallet(stage, buyer.bank, buyer.holder),
        holder=buyer.holder,
        amount=RETURNED_TIYN,
    )
    signers = (own.key, *stage.member(buyer.bank).signers(1))
    stage.do(buyer.exchange, "client_return", back, cosigners=signers)
    stage.show.step(f"{tenge_text(RETURNED_TIYN)} tenge returned to the client's own wallet, client and bank signing")
    issuers = stage.member("central-bank").signers()
    bank = "bank-b"
    redeem = Redeem(account=own_account(stage.member(bank)), amount=REDEEMED_TIYN, reserve_payment="RTGS-REDEEM-1")
    stage.do(bank, "redeem", redeem, cosigners=issuers)
    stage.must_be_refused(
        "the same reserve payment, to be redeemed twice",
        "reserve_payment_used",
        bank,
        "redeem",
        redeem,
        cosigners=issuers,
    )
    stage.show.step(f"{tenge_text(REDEEMED_TIYN)} tenge redeemed by {stage.member(bank).name}")


def read_quotas(stage: Stage) -> tuple[dict[str, QuotaResult], str]:
    """Read every miner's quota statement as the supervisor."""
    results: dict[str, QuotaResult] = {}
    note = ""
    for miner in EXPECTED_QUOTA:
        statement = stage.client("supervisor").quota(miner, COIN, as_of=DATES[-1])
        results[miner] = QuotaResult(
            produced=statement.produced,
            unlicensed=statement.unlicensed,
            obligation=statement.obligation,
            counted_obligation=statement.counted_obligation,
            counted=statement.counted,
            shortfall=statement.shortfall,
            sold=statement.sold,
            corrected=statement.corrected,
            disqualified=statement.disqualified,
        )
        note = statement.basis_note
    return results, note


def export_and_verify(stage: Stage, folder: Path) -> tuple[dict[str, Any], Path]:
    """Export the log of the running node, and verify the file in another process with public keys only.

    Raises:
        UnexpectedEnd: the export failed, or does not hold.
    """
    stage.show.act("Export and offline verification")
    stage.check_logs()
    checkpoint = folder / "seen-by-auditor.checkpoint"
    newest = stage.client("operator").newest_checkpoint
    assert newest is not None, "the operator has receipts"
    checkpoint.write_text(newest, encoding="utf-8", newline="")
    export = folder / "export.jsonl"
    export_now(folder, export)
    verified = _tenge("verify", "ledger", str(export), "--network", stage.network.id, "--at-least", str(checkpoint))
    stage.tally.speeds.append(("offline verification, leaves", verified["leaves"], verified["seconds"]))
    stage.show.step(f"{verified['leaves']:,} leaves of {verified['blocks']:,} blocks verified offline")
    return verified, export


def export_now(folder: Path, export: Path) -> Path:
    """Export the log of a running node; returns the file.

    Raises:
        UnexpectedEnd: the export failed.
    """
    _tenge("export", str(folder), "--out", str(export))
    return export


def expected_circulation_tiyn() -> int:
    """What must be in circulation at the end."""
    return sum(ISSUED_TIYN.values()) - REDEEMED_TIYN


def _tenge(*arguments: str) -> dict[str, Any]:
    """Run a command of this program in a process of its own."""
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-P", "-m", "wallet_api.cli", *arguments, "--json"], capture_output=True, check=False
    )
    if done.returncode != 0:
        raise UnexpectedEnd(f"tenge {' '.join(arguments[:2])}: {done.stderr.decode().strip()} {done.stdout.decode()}")
    return msgspec.json.decode(done.stdout, type=dict[str, Any])
