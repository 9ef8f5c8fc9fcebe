"""The market under the machine of the whole rulebook: its morning, how things are sent, and what holds after each step.

Every submission is a block of its own, sealed and kept. After each step the new blocks are exported and read back; a
recount, which knows the export alone, must agree with the state of the ledger.
"""

import copy
import functools
import itertools
from typing import Any, Final

from hypothesis import event
from hypothesis.stateful import RuleBasedStateMachine, invariant

from ledger.log.block import Block
from ledger.log.group import Position
from ledger.model.outcome import Outcome
from ledger.rules.tables import BALANCES, ledger_of
from ledger.state import State
from ledger.units import AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.registers import Register
from settlement.quota import StatementVersion, restated
from settlement.rules import RULEBOOK
from settlement.rules.miners import MinerAccountConfirm
from settlement.rules.prices import CoinPrice, PricePublish, price_on
from settlement.rules.register_load import LicenceRow, MinerRow, PartyRow, PriceListRow, RegistryLoad
from settlement.rules.tables import RECONCILIATIONS
from settlement.views.statements import quota_statement
from tests.book import START_US, end_of
from tests.log.scribe import Scribe
from tests.machine.market_log import LogReader
from tests.machine.market_quota import recomputed
from tests.machine.market_recount import Recount
from tests.machine.market_watch import check_conservation, watch
from tests.settlement.instructed import enrich
from tests.settlement.market import BTC, PRICE, accepted, account, commitment, credit_coins, market, open_holder

TENGE: Final = AssetId("KZT")
BIN_TWO: Final = "230140000021"
"""A number with a right check digit; nobody's."""

HOLDERS: Final = {"M": "miner-one", "N": "miner-two", "A": "client-a", "B": "client-b"}
MINERS: Final = {"M": ParticipantId("miner-one"), "N": ParticipantId("miner-two")}
LICENCES: Final = {"M": "L-1", "N": "L-2"}
SUBJECTS: Final = {
    Register.EXCHANGE: ("aix-one",),
    Register.POOL: ("pool-one",),
    Register.LICENCE: ("L-1", "L-2"),
}
FAR: Final = BusinessDate("2030-01-01")
CUTS: Final = (BusinessDate("2024-12-24"), FAR)
"""Dates of the statements that are compared."""


@functools.cache
def morning() -> tuple[bytes, tuple[Block, ...], list[bytes], int, Position, int, str]:
    """The market of `tests.settlement.market` with a second miner, a price list and a price; made once."""
    book = market(Scribe)
    assert isinstance(book, Scribe)
    since = TimestampUs(START_US - 366 * 24 * 3_600_000_000)
    rows = (
        MinerRow(miner=MINERS["N"], name=commitment("miner-two"), bin=BIN_TWO),
        LicenceRow(licence="L-2", miner=MINERS["N"], subtype=2, issued=BusinessDate("2023-06-01")),
        PriceListRow(coin="BTC", from_us=since),
        PartyRow(party="group:steppe", name=commitment("steppe")),
    )
    accepted(book.submit("registry_load", RegistryLoad(source=commitment("file"), rows=rows), by="ministry"))
    open_holder(book, "miner-two", "miner_proceeds", "N")
    for name in ("NBTC", "NKZT"):
        accepted(book.submit("miner_account_confirm", MinerAccountConfirm(account=account(name)), by="miner-two"))
    accepted(credit_coins(book, "NBTC", 10 * BTC))
    enrich(book, "BKZT", 90_000_000)
    price = PricePublish(date=BusinessDate("2024-12-23"), source="market", prices=(CoinPrice(coin="BTC", price=PRICE),))
    accepted(book.submit("price_publish", price, by="ministry"))
    replay = book.replay
    return (
        book.document,
        tuple(book.blocks),
        list(book.state.dump()),
        book.time_us,
        replay.position,
        replay.epoch,
        replay.checkpoint,
    )


def at_work() -> Scribe:
    """A book that goes on from the morning."""
    document, blocks, dump, time_us, position, epoch, checkpoint = morning()
    book = Scribe(RULEBOOK, document=document)
    book.state = State.load(RULEBOOK.tables, dump)
    book.replay.resume(book.state, position, epoch, checkpoint)
    book.blocks = list(blocks)
    book.time_us, book.height = time_us, position.height
    book._references = itertools.count(100_000)
    return book


@functools.cache
def morning_told() -> Recount:
    """What the export of the morning alone tells; copied for each play."""
    document, blocks, *_ = morning()
    log = Recount(document)
    for each in LogReader(document).read(blocks):
        if not each.refusal:
            watch(log, each)
        log.fold([each])
    return log


class MarketFloor(RuleBasedStateMachine):
    """The ledger, and beside it the recount of its export."""

    def __init__(self) -> None:
        super().__init__()
        self.book = at_work()
        replay = self.book.replay
        self.reader = LogReader(self.book.document)
        self.reader.resume(morning()[2], replay.position, replay.epoch, replay.checkpoint)
        self.log = copy.deepcopy(morning_told())
        self.read = len(self.book.blocks)
        """Blocks that were read back."""
        self.versions: dict[str, StatementVersion] = {}

    def met(self, what: str, outcome: Outcome | str) -> bool:
        """Note how a submission ended; whether it was accepted."""
        end = outcome if isinstance(outcome, str) else end_of(outcome)
        event(f"{what}: {end}")
        return end == "accepted"

    def send(self, kind: str, body: Any, by: str, *signers: str) -> bool:
        """Submit; by the sender's first signatory if nobody is named."""
        return self.met(kind, self.book.end(kind, body, by=by, signers=signers))

    @property
    def today(self) -> BusinessDate:
        """The business date."""
        return ledger_of(self.book.state).business_date

    def take_in(self) -> None:
        """Read back what is new in the export."""
        if self.read == len(self.book.blocks):
            return
        for each in self.reader.read(self.book.blocks[self.read :]):
            if not each.refusal:
                watch(self.log, each)
            self.log.fold([each])
        self.read = len(self.book.blocks)

    # --- what always holds ----------------------------------------------------------------------------------

    @invariant()
    def the_export_alone_tells_all_balances(self) -> None:
        self.take_in()
        check_conservation(self.log)
        told = {name: balance for name, balance in self.log.balances.items() if balance}
        assert told == {name: balance for name, balance in self.book.state.items(BALANCES) if balance}

    @invariant()
    def a_statement_is_what_the_export_alone_tells(self) -> None:
        self.take_in()
        for miner in MINERS.values():
            for as_of in CUTS:
                statement = quota_statement(self.book.state, miner, "BTC", as_of=as_of)
                expected = recomputed(self.log, miner, "BTC", as_of)
                assert {name: getattr(statement, name) for name in expected} == expected
                assert statement.counted <= statement.produced
                for lot in statement.lots:
                    assert lot.counted_obligation + lot.counted_beyond <= lot.quantity

    @invariant()
    def statements_are_a_chain_of_versions(self) -> None:
        """One version more exactly where something changed, and each names the one before."""
        for miner in MINERS.values():
            statement = quota_statement(self.book.state, miner, "BTC", as_of=FAR)
            before = self.versions.get(miner)
            after = restated(before, statement)
            if before is not None:
                is_same = statement.inputs == before.statement.inputs
                assert (after is before) is is_same, "equal inputs, equal statement; others, another version"
                if not is_same:
                    assert (after.version, after.previous) == (before.version + 1, before.digest)
            self.versions[miner] = after

    @invariant()
    def a_price_is_what_was_published(self) -> None:
        self.take_in()
        for date in ("2024-12-23", "2024-12-24", "2024-12-28", self.today):
            found = price_on(self.book.state, "BTC", BusinessDate(date))
            assert (None if found is None else found.price) == self.log.price_on("BTC", date)

    @invariant()
    def reconciliations_end_as_the_export_says(self) -> None:
        self.take_in()
        standing = {key: str(row.result) for key, row in self.book.state.items(RECONCILIATIONS)}
        assert standing == self.log.results

    def teardown(self) -> None:
        """At the end of each play, one who has the whole export and nothing else comes to the same."""
        self.take_in()
        log = Recount(self.book.document)
        log.fold(LogReader(self.book.document).read(self.book.blocks))
        for miner in MINERS.values():
            assert recomputed(log, miner, "BTC", FAR) == recomputed(self.log, miner, "BTC", FAR)
        assert log.balances == self.log.balances
