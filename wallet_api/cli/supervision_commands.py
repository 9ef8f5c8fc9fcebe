"""Commands for who watches: whether a query log is whole, and whether production fits the energy drawn."""

from contextlib import closing
from typing import Annotated

import msgspec
import typer
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from ledger.units import BusinessDate
from ledger.views.database import is_sqlite, sqlite_path
from settlement.plausibility import EFFICIENCIES, NetworkWork, plausibility
from wallet_api.cli.exits import NO
from wallet_api.cli.output import JsonOption, end, ends, write_result
from wallet_api.query_log import QueryLog


@ends
def verify_queries(
    url: Annotated[str, typer.Argument(help="Address of the query log, as in TENGE_QUERIES_URL.")],
    is_json: JsonOption = False,
) -> None:
    """Verify that each row of a node's query log follows from the one before. A cut end does not show."""
    try:
        parsed = make_url(url)
        # Opening would make it.
        if is_sqlite(parsed) and not sqlite_path(parsed).exists():
            raise ValueError(f"there is no file {sqlite_path(parsed)}")
        with closing(QueryLog(url)) as log:
            fault = log.first_fault()
    except (ValueError, SQLAlchemyError) as error:
        raise typer.BadParameter(f"expected the address of a query log: {error}") from error
    if fault is not None:
        end(ValueError(f"row {fault} is changed, missing or out of place"), NO, is_json=is_json)
    write_result({"url": url}, is_json=is_json, title="Each row follows from the one before")


@ends
def plausible(
    energy_kwh: Annotated[int, typer.Option("--energy-kwh", min=0, help="Drawn in the period, from the readings.")],
    reported: Annotated[int, typer.Option("--reported", min=0, help="Coins reported, in the smallest unit.")],
    terahashes: Annotated[
        int, typer.Option("--terahashes", min=1, help="The network's hashrate in TH/s times the seconds of the period.")
    ],
    reward: Annotated[
        int, typer.Option("--reward", min=0, help="What the network paid out in the period, in the smallest unit.")
    ],
    date: Annotated[str, typer.Option("--date", help="First local date of the period.")],
    coin: Annotated[str, typer.Option("--coin", help="The coin's symbol.")] = "BTC",
    is_json: JsonOption = False,
) -> None:
    """Say whether reported coins fit the energy drawn: a band and a flag, by dated and assumed efficiencies."""
    network = NetworkWork(terahashes=terahashes, reward=reward)
    made = plausibility(
        EFFICIENCIES, network, coin=coin, date=BusinessDate(date), energy_kwh=energy_kwh, reported=reported
    )
    write_result(msgspec.to_builtins(made), is_json=is_json, title="Coins that the energy could make")
