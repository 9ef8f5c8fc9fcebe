"""Reconciliation at Exchange One, three ways, and the proof of what it owes that each client checks for itself."""

import secrets
from typing import Final

from ledger.crypto import canonical
from ledger.crypto.merkle import InvalidProof
from ledger.model.assets import TENGE
from ledger.state import View
from ledger.units import AssetId, BusinessDate
from settlement.model.liabilities import Published
from settlement.model.reconciliation import AssetBooks
from settlement.rules.coins import coin_asset
from settlement.rules.liabilities import LiabilitiesPublish
from settlement.rules.reconciliation import ReconcileDay, ReconciliationCut
from settlement.rules.reconciliation_order import ReconciliationRequire, asset_key
from settlement.rules.tables import LIABILITIES
from settlement.solvency import SALT_BYTES, Owed, Scope, SumTree, verify_bytes
from settlement.winddown import drill
from wallet_api.sandbox.pilot_accounts import desk, omnibus_account
from wallet_api.sandbox.pilot_instructed import TAKEN_HOME, VENUE
from wallet_api.sandbox.pilot_market import ClientProof, Market, settlement_of
from wallet_api.sandbox.pilot_opening import COIN, attestation
from wallet_api.sandbox.pilot_plan import ATTESTED, BUYERS, EXCHANGES, MINER_PLANS, Sale
from wallet_api.sandbox.pilot_stage import Stage, UnexpectedEnd, local_time_us

CURIOUS: Final = "buyer-1"
"""The client that checks its place in the tree."""

FORGOTTEN_TIYN: Final = 100
"""A tenge that the exchange's books do not know of, the first time."""


def play_reconciliation(stage: Stage, market: Market, date: str) -> None:
    """A cut, books that do not agree, the gate that closes; then books that do, and the root of all that is owed."""
    stage.show.act(f"{date}: reconciliation and proof of liabilities")
    stage.move_to(date, 17)
    exchange = stage.member(VENUE).participant
    require = ReconciliationRequire(exchange=exchange, attestation_hours=24, order="AFSA-0008")
    stage.do("supervisor", "reconciliation_require", require)
    seen = attestation(
        stage,
        VENUE,
        quantity=ATTESTED[VENUE] - TAKEN_HOME,
        observed_us=local_time_us(date, 16, 45),
        withdrawn=TAKEN_HOME,
    )
    stage.do(VENUE, "reserve_attest", seen, cosigners=stage.member("auditor").signers(1))
    owed = {asset: _owed(stage, asset) for asset in _assets(stage)}
    _reconcile(stage, date, owed, forgotten=FORGOTTEN_TIYN)
    sale = Sale("T-0013", date, "miner-one", "buyer-1", 1_000_000)
    venue, body = settlement_of(stage, sale)
    stage.must_be_refused("a sale while the books do not agree", "reconciliation_broken", venue, "dvp_settle", body)
    _reconcile(stage, date, owed, forgotten=0)
    for asset, clients in owed.items():
        _publish(stage, market, date, asset, clients)
    stage.show.step("books, ledger and attested coins agree; the roots of both trees are published")


def check_inclusion(stage: Stage, market: Market, state: View) -> str:
    """The client checks its proofs against the roots in an export, offline; returns what it found.

    Raises:
        UnexpectedEnd: a proof does not hold, or one with another balance does.
    """
    for given in market.proofs:
        row = state.get(LIABILITIES, asset_key(given.exchange, given.asset))
        if row is None:
            raise UnexpectedEnd(f"expected a published root for {given.asset}, got none")
        published = Published(
            exchange=given.exchange,
            asset=given.asset,
            date=row.date,
            root=row.root,
            total=row.total,
            leaves=row.leaves,
        )
        if not _holds(given, published, given.balance):
            raise UnexpectedEnd(f"{given.client} in {given.asset}: expected a proof that holds")
        if _holds(given, published, given.balance + 1):
            raise UnexpectedEnd(f"{given.client} in {given.asset}: expected no proof of another balance")
        stage.tally.facts.append((f"{given.client} owed in {given.asset}", f"{given.balance:,}, proved offline"))
    return f"{CURIOUS} is in {len(market.proofs)} published totals, by the export alone"


def drill_wind_down(stage: Stage, state: View) -> str:
    """What winding up each exchange would come to now, from an export; nothing is changed. Returns what was found.

    Raises:
        UnexpectedEnd: a client could not be paid in full.
    """
    for plan in EXCHANGES:
        played = drill(state, stage.member(plan.participant).participant, time_us=stage.clock.now_us())
        if played.short or played.lines_frozen:
            raise UnexpectedEnd(f"a drill at {plan.participant}: expected everyone to be paid, got {played.short}")
        lines = len(played.distribution.lines)
        result = f"{lines} lines, all payable in full; {played.lines_by_order} take an order"
        stage.tally.facts.append((f"wind-down drill at {plan.participant}", result))
    return f"a drill: all clients of {len(EXCHANGES)} exchanges could be paid out in full, by the export alone"


def _holds(given: ClientProof, published: Published, balance: int) -> bool:
    try:
        verify_bytes(given.proof, published, client=given.client, balance=balance)
    except InvalidProof:
        return False
    return True


def _assets(stage: Stage) -> tuple[AssetId, AssetId]:
    return TENGE, coin_asset(COIN, stage.member(VENUE).participant)


def _owed(stage: Stage, asset: AssetId) -> list[Owed]:
    """What the exchange's own books say that each client is owed."""
    holders = [plan.miner for plan in MINER_PLANS if plan.exchange == VENUE]
    holders += [buyer.holder for buyer in BUYERS if buyer.exchange == VENUE]
    accounts = {
        holder: desk(stage, holder, VENUE).tenge if asset == TENGE else desk(stage, holder, VENUE).coin
        for holder in holders
    }
    if asset == TENGE:
        accounts["omnibus"] = omnibus_account(stage, VENUE)
    client = stage.client(VENUE)
    return [
        Owed(holder, client.account(account).balance, secrets.token_bytes(SALT_BYTES))
        for holder, account in accounts.items()
    ]


def _reconcile(stage: Stage, date: str, owed: dict[AssetId, list[Owed]], *, forgotten: int) -> None:
    stage.do(VENUE, "reconciliation_cut", ReconciliationCut(assets=tuple(owed)))
    books = tuple(
        AssetBooks(asset=asset, books=sum(each.balance for each in clients) - (forgotten if asset == TENGE else 0))
        for asset, clients in owed.items()
    )
    stage.do(VENUE, "reconcile_day", ReconcileDay(date=BusinessDate(date), assets=books))
    if forgotten:
        stage.show.step(f"the books know {forgotten} tiyn less than the ledger: broken")


def _publish(stage: Stage, market: Market, date: str, asset: AssetId, clients: list[Owed]) -> None:
    exchange = stage.member(VENUE).participant
    tree = SumTree(Scope(exchange, asset, BusinessDate(date)), clients)
    root = tree.published()
    body = LiabilitiesPublish(
        asset=asset, date=BusinessDate(date), root=root.root, total=root.total, leaves=root.leaves
    )
    stage.do(VENUE, "liabilities_publish", body)
    proof = tree.proof(CURIOUS)
    market.proofs.append(ClientProof(exchange, asset, CURIOUS, proof.balance, canonical.encode(proof)))
