"""The same work on PostgreSQL as the store of the ledger, against SQLite in the same run."""

from collections.abc import Iterator

from wallet_api.bench.bench import Bench
from wallet_api.bench.bulk import Ran, drawn, run_bulks
from wallet_api.bench.cost import Costs
from wallet_api.bench.figures import Figure, figure, ratio
from wallet_api.bench.payments import UNIFORM, singles
from wallet_api.bench.place import Store
from wallet_api.bench.single import pay_in_closed_loop

STORES: tuple[Store, Store] = ("sqlite", "postgresql")
"""One after the other within each run, so that both see the same machine."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield throughput of bulks and single transfers on PostgreSQL, its ratios to SQLite, and what it costs."""
    if bench.postgres is None:
        return
    bulks: dict[Store, list[Ran]] = {store: [] for store in STORES}
    rates: dict[Store, list[float]] = {store: [] for store in STORES}
    bulk_costs = {store: Costs() for store in STORES}
    single_costs = {store: Costs() for store in STORES}
    for store in STORES:
        run_bulks(bench, bench.node_on(store), drawn(bench, 1, UNIFORM), Costs())
    for run in range(bench.scale.runs):
        for store in STORES:
            bench.say(f"{store}, run {run + 1} of {bench.scale.runs}")
            node = bench.node_on(store)
            sent = drawn(bench, bench.scale.bulks, bench.options.mix)
            bulks[store].append(run_bulks(bench, node, sent, bulk_costs[store]))
            rates[store].append(_singles_per_s(bench, store, single_costs[store]))
    sqlite, postgresql = bulks["sqlite"], bulks["postgresql"]
    yield figure("postgresql_bulk_http_lines_per_s", "1/s", [ran.caught_up_per_s for ran in postgresql])
    yield figure("postgresql_bulk_http_answered_lines_per_s", "1/s", [ran.answered_per_s for ran in postgresql])
    yield ratio(
        "bulk_postgresql_vs_sqlite",
        [ran.caught_up_per_s for ran in postgresql],
        [ran.caught_up_per_s for ran in sqlite],
    )
    yield ratio(
        "bulk_answered_postgresql_vs_sqlite",
        [ran.answered_per_s for ran in postgresql],
        [ran.answered_per_s for ran in sqlite],
    )
    yield figure("postgresql_single_http_per_s", "1/s", rates["postgresql"])
    yield ratio("single_postgresql_vs_sqlite", rates["postgresql"], rates["sqlite"])
    yield from bulk_costs["postgresql"].figures("postgresql_bulk")
    yield from single_costs["postgresql"].figures("postgresql_single")


def _singles_per_s(bench: Bench, store: Store, costs: Costs) -> float:
    sent = singles(bench.world, bench.scale.singles, bench.options.mix, seed=bench.seed())
    result = pay_in_closed_loop(bench, bench.node_on(store), sent, costs)
    return result.sent / result.seconds
