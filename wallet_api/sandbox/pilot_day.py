"""The pilot day from an empty folder to a verified export, against a real node over HTTP."""

import datetime
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from ledger.genesis import read_genesis
from ledger.model.assets import TENGE
from ledger.rules.day_close import DayClose
from ledger.units import BusinessDate
from wallet_api.client import node_time_us
from wallet_api.client.key_files import read_key, write_key
from wallet_api.sandbox.export_reading import read_export
from wallet_api.sandbox.folder import GENESIS_FILE, UnusableFolder, read_document, read_folder, write_folder
from wallet_api.sandbox.network import KeyMaker, Network, keys_from_seed, make_network, random_keys
from wallet_api.sandbox.node_process import NodeProcess
from wallet_api.sandbox.pilot_accounts import play_accounts
from wallet_api.sandbox.pilot_closing import (
    Outcome,
    expected_circulation_tiyn,
    export_and_verify,
    play_redemption,
    read_quotas,
)
from wallet_api.sandbox.pilot_energy import play_levy, play_surplus
from wallet_api.sandbox.pilot_ftx import play_ftx_pattern
from wallet_api.sandbox.pilot_instructed import play_partial, play_reversal
from wallet_api.sandbox.pilot_market import Market, close_day, play_day
from wallet_api.sandbox.pilot_misuse import play_misuse
from wallet_api.sandbox.pilot_opening import play_opening
from wallet_api.sandbox.pilot_payments import play_payments, play_wallets
from wallet_api.sandbox.pilot_plan import (
    ADMITTED,
    BUYERS,
    DATE_AFTER,
    DATES,
    EVERYONE,
    EXPECTED_QUOTA,
    MINER_PLANS,
    Scale,
)
from wallet_api.sandbox.pilot_registers import PRICED, play_registers, publish_price
from wallet_api.sandbox.pilot_solvency import check_inclusion, drill_wind_down, play_reconciliation
from wallet_api.sandbox.pilot_stage import Show, Stage, Tally, UnexpectedEnd, local_time_us
from wallet_api.sandbox.pilot_supervision import SEARCH_FILE, play_correction, play_search

PILOT: Final = "pilot"
"""Name of the network of every pilot."""

PILOT_FILE: Final = "pilot.json"
"""What a later run needs to know to go on with a folder."""

HOLDERS_FOLDER: Final = "holders"
"""Keys of buyers and miners as holders of accounts; in real life they keep their own."""

MISUSE_DATE: Final = "2025-01-03"
"""When the FTX pattern is tried."""

ENERGY_DATE: Final = "2025-01-02"
"""When surplus is bought, and the first sale is instructed."""

ACTS_FRESH: Final = len(DATES) + 16
"""Acts of a new pilot: opening, registers, wallets, payments, exchanges, each date, surplus, partial settlement,
correction, reversal, misuse, the FTX payments, search, levy, reconciliation, redemption, export."""

ACTS_MORE: Final = 2
"""Acts of a day more: payments, export."""

How = Literal["fresh", "continue"]


class PilotState(msgspec.Struct, frozen=True, kw_only=True):
    """How far the pilot of a folder has come."""

    business_date: str
    """The business date that is open."""
    wallets: int
    """How many wallets there are."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A pilot that ended as planned."""

    address: str
    network: str
    outcome: Outcome
    tally: Tally
    market: Market


def make_pilot_network(seed: str | None) -> Network:
    """Make the network of the pilot, with everyone's keys."""
    return make_network(
        PILOT,
        clock="scripted",
        time_us=local_time_us(DATES[0], 8),
        keys=random_keys if seed is None else keys_from_seed(seed),
        others=ADMITTED,
    )


def prepare_folder(folder: Path, how: How | None, *, seed: str | None = None) -> PilotState | None:
    """Make the folder of a new pilot, or find out how far an old one has come.

    Args:
        folder: of the node.
        how: what to do with a folder that holds a pilot; None where none may be there.
        seed: makes the same keys each time; random ones without it.

    Returns:
        How far the pilot has come; None for a new one.

    Raises:
        UnusableFolder: there is a pilot and nobody said what to do, or what is there cannot be continued.
    """
    if how == "continue":
        return _state_of(folder)
    if how is None and (folder / GENESIS_FILE).exists():
        raise UnusableFolder(f"{folder} holds a pilot: say --continue to go on with it, or --fresh to start over")
    if how == "fresh" and folder.is_dir():
        _clear(folder)
    write_folder(folder, make_pilot_network(seed))
    holders = random_keys if seed is None else keys_from_seed(f"{seed} holders")
    for exchange, holder in _holders():
        write_key(folder / HOLDERS_FOLDER / exchange / f"{holder}.jwk", holders(exchange, holder))
    return None


def play(stage: Stage, folder: Path, address: str) -> Finished:
    """Play all days of a new pilot and check what comes out.

    Raises:
        UnexpectedEnd: something came out otherwise than the plan says.
    """
    market = Market()
    play_opening(stage)
    play_registers(stage)
    play_wallets(stage)
    play_payments(stage)
    play_accounts(stage)
    for date in DATES:
        if date in PRICED:
            stage.move_to(date, 14, 30)
            publish_price(stage, date)
        play_day(stage, market, date)
        if date == ENERGY_DATE:
            play_partial(stage, date)
            play_surplus(stage, date)
        if date == MISUSE_DATE:
            play_correction(stage, market, date)
            play_reversal(stage, date)
            play_misuse(stage, date)
            play_ftx_pattern(stage, date)
        if date == DATES[-1]:
            play_search(stage, folder, date)
            play_levy(stage, date)
            play_reconciliation(stage, market, date)
            play_redemption(stage, date)
        close_day(stage, date)
    _keep(folder, PilotState(business_date=DATE_AFTER, wallets=stage.scale.wallets))
    return _finish(stage, folder, address, market)


def play_on(stage: Stage, folder: Path, address: str, state: PilotState) -> Finished:
    """Play one more day of payments on a pilot that ended before.

    Raises:
        UnexpectedEnd: something came out otherwise than it must.
    """
    date = state.business_date
    following = (datetime.date.fromisoformat(date) + datetime.timedelta(days=1)).isoformat()
    stage.move_to(date, 9)
    play_payments(stage, title=f"{date}: payments, on the pilot of the run before")
    stage.move_to(date, 20)
    stage.do("operator", "day_close", DayClose(closes=BusinessDate(date), opens=BusinessDate(following)))
    _keep(folder, PilotState(business_date=following, wallets=state.wallets))
    return _finish(stage, folder, address, Market())


def start(
    folder: Path, *, show: Show, scale: Scale, port: int = 0
) -> AbstractContextManager[tuple[NodeProcess, Stage]]:
    """Start the node of a folder and make everyone's clients for it."""
    return _Started(folder, show, scale, port)


class _Started(AbstractContextManager[tuple[NodeProcess, Stage]]):
    """The node and the stage; both end with the context."""

    def __init__(self, folder: Path, show: Show, scale: Scale, port: int) -> None:
        self._folder = folder
        self._show = show
        self._scale = scale
        self._port = port
        self._stack = ExitStack()

    def __enter__(self) -> tuple[NodeProcess, Stage]:
        with ExitStack() as stack:
            network = read_folder(self._folder, EVERYONE)
            node = stack.enter_context(NodeProcess(self._folder, port=self._port))
            stage = Stage(
                network,
                node.address,
                show=self._show,
                scale=self._scale,
                holder_keys=_holder_keys(self._folder),
                time_us=node_time_us(node.address),
            )
            stack.enter_context(stage)
            self._stack = stack.pop_all()
            return node, stage

    def __exit__(self, *exception: object) -> None:
        self._stack.close()


def _finish(stage: Stage, folder: Path, address: str, market: Market) -> Finished:
    verification, export = export_and_verify(stage, folder)
    if market.proofs:
        state, _ = read_export(export)
        stage.show.step(check_inclusion(stage, market, state))
        stage.show.step(drill_wind_down(stage, state))
    quotas, note = read_quotas(stage)
    outcome = Outcome(
        quotas=quotas,
        quota_note=note,
        in_circulation_tiyn=_in_circulation(stage),
        verification=verification,
        export=export,
    )
    _check(outcome, stage.network.id)
    return Finished(address, stage.network.id, outcome, stage.tally, market)


def _in_circulation(stage: Stage) -> int:
    """Ask the node, as the central bank, after everything that happened."""
    assets = stage.client("central-bank").supply(min_sequence=stage.client("operator").newest_sequence)
    return next(asset.in_circulation for asset in assets if asset.asset == TENGE)


def _check(outcome: Outcome, network: str) -> None:
    """Compare what came out with what was worked out beforehand."""
    expected_tiyn = expected_circulation_tiyn()
    facts: Mapping[str, tuple[object, object]] = {
        **{f"quota of {miner}": (expected, outcome.quotas.get(miner)) for miner, expected in EXPECTED_QUOTA.items()},
        "tenge in circulation": (expected_tiyn, outcome.in_circulation_tiyn),
        "tenge in circulation, by the verified export": (expected_tiyn, outcome.verification["supply"]["KZT"]),
        "network of the export": (network, outcome.verification["network"]),
    }
    wrong = [f"{what}: expected {expected}, got {got}" for what, (expected, got) in facts.items() if expected != got]
    if wrong:
        raise UnexpectedEnd("; ".join(wrong))


def _holders() -> list[tuple[str, str]]:
    """Everyone who holds accounts at an exchange under a key of its own."""
    return [
        *((plan.exchange, plan.miner) for plan in MINER_PLANS),
        *((buyer.exchange, buyer.holder) for buyer in BUYERS),
        ("exchange-two", "affiliate"),
    ]


def _holder_keys(folder: Path) -> KeyMaker:
    keys = {
        (exchange, holder): read_key(folder / HOLDERS_FOLDER / exchange / f"{holder}.jwk")
        for exchange, holder in _holders()
    }
    return lambda exchange, holder: keys[exchange, holder]


def _state_of(folder: Path) -> PilotState:
    try:
        return msgspec.json.decode((folder / PILOT_FILE).read_bytes(), type=PilotState)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError) as error:
        raise UnusableFolder(
            f"{folder} holds no pilot that came to its end, so there is nothing to continue; start over with --fresh"
        ) from error


def _keep(folder: Path, state: PilotState) -> None:
    (folder / PILOT_FILE).write_bytes(msgspec.json.encode(state))


def _clear(folder: Path) -> None:
    """Delete what a pilot wrote, and refuse to delete anything else."""
    known = {"genesis.json", "keys", "holders", "pilot.json", "snapshots", "checkpoint", "export.jsonl", SEARCH_FILE}
    others = [
        path.name
        for path in folder.iterdir()
        if path.name not in known and not path.name.startswith(("blocks.db", "views.db", "checkpoint", "seen-by"))
    ]
    if others:
        raise UnusableFolder(f"{folder} holds {', '.join(sorted(others))} besides a pilot; it is not deleted")
    has_genesis = (folder / GENESIS_FILE).exists()
    if has_genesis and read_genesis(read_document(folder)).name != PILOT:
        raise UnusableFolder(f"{folder} holds a node of another network than a pilot's; it is not deleted")
    if not has_genesis and any(folder.glob("blocks.db*")):
        raise UnusableFolder(f"{folder} holds a ledger without its genesis document; it is not deleted")
    _delete(folder)


def _delete(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
