"""What the supervisor and the pools put right: a corrected report, and a sham sale found, held and disqualified.

The search reads an export, as anybody may: the flows of the ledger itself show that the tenge went round.
"""

from pathlib import Path
from typing import Final

from ledger.units import BusinessDate
from settlement.model.claims import Reason, Verdict
from settlement.quota.flags import Alert
from settlement.rules.claims import ClaimDecide, ClaimFlagging
from settlement.rules.corrections import ProductionCorrect
from settlement.views.quota_alerts import quota_alerts
from wallet_api.sandbox.export_reading import read_export
from wallet_api.sandbox.pilot_closing import export_now
from wallet_api.sandbox.pilot_instructed import INSTRUCTED, MINER, SHAM, VENUE
from wallet_api.sandbox.pilot_market import Market, production_row
from wallet_api.sandbox.pilot_opening import COIN
from wallet_api.sandbox.pilot_plan import DATES, MINER_FIVE, MISREPORTED, PRODUCTION, btc_text
from wallet_api.sandbox.pilot_stage import Stage, UnexpectedEnd

SEARCH_FILE: Final = "export-searched.jsonl"
"""The export that the supervisor searches."""


def play_correction(stage: Stage, market: Market, date: str) -> None:
    """The pool takes back a row of the day before; the right one stands in its place."""
    stage.show.act(f"{date}: a pool corrects what it reported")
    stage.move_to(date, 16, 5)
    ((miner, reported_on),) = MISREPORTED
    report, number = market.rows[miner, reported_on]
    right = PRODUCTION[miner][reported_on]
    row = production_row(stage, MINER_FIVE, reported_on, number, quantity=right)
    body = ProductionCorrect(sequence=1, report=report, rows=(row,), reason="pool-case-0001")
    stage.do(MINER_FIVE.pool, "production_correct", body)
    stage.must_be_refused(
        "the same correction once more", "correction_out_of_order", MINER_FIVE.pool, "production_correct", body
    )
    wrong = MISREPORTED[miner, reported_on]
    stage.show.step(f"report {report}, row {number}: {btc_text(right)} BTC in place of {btc_text(wrong)}")


def play_search(stage: Stage, folder: Path, date: str) -> None:
    """The supervisor searches an export for sham sales, holds the one it finds, and decides.

    Raises:
        UnexpectedEnd: another sale was found, or the statement says otherwise.
    """
    stage.show.act(f"{date}: sham sales are looked for, held, decided")
    stage.move_to(date, 16, 30)
    alert = _found(folder)
    stage.show.step(f"{alert.claim}: {alert.reason}, {alert.observed / 10_000:.1f} per cent came back")
    stage.do(
        "supervisor",
        "claim_flag",
        ClaimFlagging(claim=alert.claim, reason=alert.reason, evidence=alert.evidence),
    )
    _expect(stage, held=INSTRUCTED[SHAM], disqualified=0)
    stage.show.step("the claim is held: it counts nothing until a person decides")
    decision = ClaimDecide(
        claim=alert.claim, verdict=Verdict.DISQUALIFY, reason=alert.reason, order="AFSA-0007", decisions=0, flags=1
    )
    stage.must_be_refused(
        "a decision by one person alone", "signatures_insufficient", "supervisor", "claim_decide", decision
    )
    stage.do("supervisor", "claim_decide", decision, cosigners=stage.member("supervisor").signers(2)[1:])
    _expect(stage, held=0, disqualified=INSTRUCTED[SHAM])
    stage.show.step("two people of the supervisor decide: disqualified")
    stage.tally.facts.append((f"{alert.claim}, {alert.reason}", f"{alert.observed / 10_000:.1f} % back; disqualified"))


def _found(folder: Path) -> Alert:
    state, leaves = read_export(export_now(folder, folder / SEARCH_FILE))
    found = quota_alerts(state, leaves)
    if len(found) != 1 or (found[0].claim, found[0].reason) != (f"{VENUE}/{SHAM}", Reason.WASH_ROUND_TRIP):
        raise UnexpectedEnd(f"expected one round trip, {SHAM}, got {[(each.claim, each.reason) for each in found]}")
    return found[0]


def _expect(stage: Stage, *, held: int, disqualified: int) -> None:
    statement = stage.client("supervisor").quota(MINER, COIN, as_of=BusinessDate(DATES[-1]))
    got = (statement.held, statement.disqualified)
    if got != (held, disqualified):
        raise UnexpectedEnd(f"quota of {MINER}: expected {held} held and {disqualified} disqualified, got {got}")
