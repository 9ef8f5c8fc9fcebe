"""The pilot day in small: every act against a real node, and what a second run does."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.test_offline import answer, tenge
from wallet_api.sandbox.folder import UnusableFolder
from wallet_api.sandbox.pilot_day import Finished, PilotState, play, play_on, prepare_folder, start
from wallet_api.sandbox.pilot_plan import EXPECTED_QUOTA, Scale
from wallet_api.sandbox.pilot_report import RichShow, print_report, report_document
from wallet_api.sandbox.pilot_stage import Stage, UnexpectedEnd

FTX_CODES = (
    "client_account_needs_own_kind",
    "client_money_purpose",
    "client_money_to_affiliate",
    "client_money_to_house",
    "custody_to_house",
    "fee_above_tariff",
    "insufficient_funds",
    "kind_not_permitted",
    "mandate_price_outside",
    "reserve_exceeded",
    "return_holder_differs",
    "signatures_insufficient",
)
"""Rules that refuse the payments of the FTX complaint, each several attempts."""

SMALL = Scale(wallets=9, payments=20, threads=3)


class Silent:
    """Shows nothing."""

    def act(self, title: str) -> None:
        """Say nothing."""

    def step(self, text: str) -> None:
        """Say nothing."""

    def refused(self, text: str, code: str) -> None:
        """Say nothing."""

    def bar(self, text: str, total: int) -> Callable[[int], None]:
        """Count for nobody."""
        return lambda pieces: None


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished, str]:
    """A pilot that was played to its end, its folder, and what it showed."""
    folder = tmp_path_factory.mktemp("pilot") / "node"
    assert prepare_folder(folder, None, seed="pilot") is None
    console = Console(record=True, width=120, file=(folder.parent / "shown").open("w"))
    with RichShow(console, acts=1) as show, start(folder, show=show, scale=SMALL) as (node, stage):
        finished = play(stage, folder, node.address)
        show.close()
    print_report(console, finished)
    shown = console.export_text()
    console.file.close()
    return folder, finished, shown


def test_the_quotas_are_those_worked_out_by_hand(played: tuple[Path, Finished, str]) -> None:
    assert played[1].outcome.quotas == EXPECTED_QUOTA


def test_every_act_is_played(played: tuple[Path, Finished, str]) -> None:
    tally = played[1].tally
    assert tally.accepted["participant_admit"] == 15
    assert tally.accepted["issue"] == 2
    assert tally.accepted["day_close"] == 8
    assert tally.accepted["production_report"] == 14
    assert tally.accepted["dvp_settle"] == 10
    assert tally.accepted["mandate_cancel"] == 1
    assert tally.accepted["registry_load"] == 1
    assert tally.accepted["price_publish"] == 4
    assert tally.accepted["production_correct"] == 1
    assert tally.accepted["dvp_instruct"] == 6
    assert tally.accepted["dvp_allocate"] == 3
    assert tally.accepted["dvp_complete"] == 3
    assert tally.accepted["dvp_reverse"] == 1
    assert tally.accepted["claim_flag"] == 1
    assert tally.accepted["claim_decide"] == 1
    assert tally.accepted["reconciliation_cut"] == 2
    assert tally.accepted["reconcile_day"] == 2
    assert tally.accepted["liabilities_publish"] == 2
    assert tally.accepted["surplus_buy"] == 1
    assert tally.accepted["meter_reading"] == 1
    assert tally.accepted["levy_pay"] == 1
    assert tally.lines["bulk_transfer"] == SMALL.wallets + 5


def test_what_must_be_refused_is_refused_step_by_step_and_by_name(played: tuple[Path, Finished, str]) -> None:
    codes = [code for _, code in played[1].tally.refused]
    assert codes == [
        "miner_licence_invalid",
        "instruction_matched",
        "seller_not_prefunded",
        "funds_set_aside",
        "surplus_exceeded",
        "insufficient_funds",
        "correction_out_of_order",
        "signatures_insufficient",
        "client_money_to_house",
        "client_money_to_house",
        "client_account_needs_own_kind",
        "client_account_needs_own_kind",
        "client_money_to_affiliate",
        "client_money_purpose",
        "insufficient_funds",
        "custody_to_house",
        "reserve_exceeded",
        "attestation_stale",
        "insufficient_funds",
        "mandate_cancelled",
        "execution_too_old",
        "own_token_not_admitted",
        *FTX_CODES,
        "signatures_insufficient",
        "signatures_insufficient",
        "reconciliation_broken",
        "reserve_payment_used",
    ]


def test_the_report_shows_quota_money_refusals_and_network(played: tuple[Path, Finished, str]) -> None:
    shown = played[2]
    for expected in (
        "miner-four",
        "0.58333334",
        "4,500,000,000.00",
        "client_money_to_affiliate",
        "COIN_SHORT",
        "drill",
    ):
        assert expected in shown
    assert played[1].network in shown
    assert json.dumps(report_document(played[1])["verification"])


def test_a_second_run_needs_to_be_told_what_to_do(played: tuple[Path, Finished, str]) -> None:
    with pytest.raises(UnusableFolder, match="--continue"):
        prepare_folder(played[0], None)
    assert tenge("pilot", played[0]).exit_code == 2


def test_a_second_run_goes_on_with_the_first(played: tuple[Path, Finished, str]) -> None:
    folder = played[0]
    state = prepare_folder(folder, "continue")
    assert state is not None
    assert state.wallets == SMALL.wallets
    with start(folder, show=Silent(), scale=SMALL) as (node, stage):
        finished = play_on(stage, folder, node.address, state)
        assert finished.tally.accepted == {"transfer": SMALL.payments, "day_close": 1}
        assert finished.outcome.verification["leaves"] > played[1].outcome.verification["leaves"]
        _surprises_end_the_pilot(stage)
    later = prepare_folder(folder, "continue")
    assert later is not None
    assert later.business_date > state.business_date


def _surprises_end_the_pilot(stage: Stage) -> None:
    body = {"closes": "2024-12-28", "opens": "2024-12-29"}
    with pytest.raises(UnexpectedEnd, match="business_date_differs"):
        stage.do("operator", "day_close", body)
    with pytest.raises(UnexpectedEnd, match="expected account_frozen"):
        stage.must_be_refused("a day that is over", "account_frozen", "operator", "day_close", body)
    with pytest.raises(UnexpectedEnd, match="a holder at operator sends day_close"):
        stage.do_as_holder("operator", "day_close", body, stage.member("operator").signers()[0])
    coin = {"coin": "NEW", "scale": 8}
    with pytest.raises(UnexpectedEnd, match="got an acceptance"):
        stage.must_be_refused("a new coin", "coin_registered", "supervisor", "registry_coin", coin)


def test_nothing_is_continued_where_no_pilot_ended(tmp_path: Path) -> None:
    with pytest.raises(UnusableFolder, match="--fresh"):
        prepare_folder(tmp_path, "continue")


def test_a_fresh_start_deletes_a_pilot_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    assert prepare_folder(folder, "fresh", seed="a") is None
    first = (folder / "genesis.json").read_bytes()
    assert prepare_folder(folder, "fresh") is None
    assert (folder / "genesis.json").read_bytes() != first
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UnusableFolder, match=r"thesis\.txt"):
        prepare_folder(folder, "fresh")
    assert (folder / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_fresh_start_never_deletes_another_ledger(tmp_path: Path) -> None:
    answer("init", tmp_path / "node", "--name", "mine")
    with pytest.raises(UnusableFolder, match="another network"):
        prepare_folder(tmp_path / "node", "fresh")
    (tmp_path / "node" / "genesis.json").unlink()
    (tmp_path / "node" / "blocks.db").write_bytes(b"")
    with pytest.raises(UnusableFolder, match="without its genesis"):
        prepare_folder(tmp_path / "node", "fresh")
    (tmp_path / "node" / "blocks.db").unlink()
    assert prepare_folder(tmp_path / "node", "fresh") is None, "a folder whose making was cut short is made anew"


def test_the_same_seed_makes_the_same_network(tmp_path: Path) -> None:
    for name in ("one", "two"):
        prepare_folder(tmp_path / name, None, seed="same")
    assert (tmp_path / "one" / "genesis.json").read_bytes() == (tmp_path / "two" / "genesis.json").read_bytes()


def test_the_command_plays_it_all_and_ends_the_node(tmp_path: Path) -> None:
    told = answer("pilot", tmp_path / "node", "--exit", "--wallets", 6, "--payments", 6, "--seed", "command")
    assert told["in_circulation_tiyn"] == 450_000_000_000
    assert told["verification"]["is_network_pinned"] is True
    assert PilotState(business_date="2025-01-05", wallets=6) == prepare_folder(tmp_path / "node", "continue")
