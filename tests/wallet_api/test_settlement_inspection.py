"""An inspection export is verified without the node, with the network id alone; whatever is changed in it is found."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.log.answers import Unavailable
from ledger.model.journal import RefusalLeaf
from ledger.units import TimestampUs
from settlement.model.claims import Reason, Verdict
from settlement.rules import RULEBOOK
from settlement.rules.attested import SaleAttest
from settlement.rules.claims import ClaimDecide
from settlement.rules.corrections import ProductionCorrect
from settlement.views.inspection import (
    InspectionFault,
    InspectionHead,
    InspectionInputs,
    InspectionRegisters,
    InspectionStatement,
    ProvenTransaction,
    inspection_file,
    read_inspection,
)
from settlement.views.inspection_proof import Inspected, verify_inspection
from tests.book import Book, key_of
from tests.settlement import instructed, market
from tests.settlement.market import BTC, accepted, commitment
from tests.wallet_api.busy_day import doubt
from tests.wallet_api.door import Door, code_of
from tests.wallet_api.replayed import register_authorities, replayed_door

PATH = "/v1/miners/miner-one/inspection"


def inspected_day() -> Book:
    """Sales of every kind: at once, gross, netted, attested from elsewhere; a corrected row, and a decided doubt."""
    book = market.market()
    register_authorities(book)
    accepted(market.report(book, market.row(1), market.row(2)))
    correction = ProductionCorrect(sequence=1, report=1, rows=(market.row(1, quantity=BTC // 2),), reason="letter-1")
    accepted(book.submit("production_correct", correction, by="pool-one"))
    accepted(market.settle(book, trade="T-0", quantity=BTC // 1_000, fee=9_755))
    instructed.settled(book, "T-1", instructed.terms(book, quantity=BTC // 1_000))
    for trade in ("T-2", "T-3"):
        instructed.match(book, trade, instructed.terms(book, quantity=BTC // 1_000))
    accepted(instructed.batch(book, "T-2", "T-3"))
    attested = SaleAttest(
        trade="A-1",
        miner=market.row().miner,
        coin="BTC",
        quantity=BTC // 4,
        price=market.PRICE,
        executed_us=TimestampUs(book.time_us - 60_000_000),
        cash="BANK-1",
        asset_lock=commitment("lock"),
    )
    accepted(book.submit("sale_attest", attested, by="aix-one", signers=("aix-one-1", "miner-one-1")))
    accepted(doubt(book, "aix-one/T-0"))
    decision = ClaimDecide(
        claim="aix-one/T-0",
        verdict=Verdict.RESTORE,
        reason=Reason.WASH_ROUND_TRIP,
        order="order-1",
        decisions=0,
        flags=1,
    )
    accepted(book.submit("claim_decide", decision, by="ministry", signers=("ministry-1", "ministry-2")))
    return book


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with replayed_door(tmp_path_factory.mktemp("inspected") / "node", inspected_day) as opened:
        yield opened


@pytest.fixture(scope="module")
def data(door: Door) -> bytes:
    answer = door.get(PATH, by="ministry", coin="BTC")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    return answer.content


def verify(data: bytes, network: str | None = None, **more: Any) -> Inspected:
    return verify_inspection(data, rulebook=RULEBOOK, network=network, **more)


def test_a_file_verifies_with_the_network_id_and_nothing_else(door: Door, data: bytes) -> None:
    found = verify(data, door.network)

    assert found.is_network_pinned
    assert (found.miner, found.coin, found.size) == ("miner-one", "BTC", door.size)
    assert (found.lots, found.claims, found.attested, found.transactions) == (3, 4, 1, 7)
    statement = door.get("/v1/quota/miner-one", by="ministry", coin="BTC").json()["statement"]
    assert (found.obligation, found.shortfall, found.inputs) == (
        statement["obligation"],
        statement["shortfall"],
        statement["inputs"],
    )


def test_without_a_network_id_from_elsewhere_it_is_only_self_consistent(data: bytes) -> None:
    assert not verify(data).is_network_pinned


def test_the_key_of_a_rotated_log_may_be_given(door: Door, data: bytes) -> None:
    def other_log(head: InspectionHead) -> InspectionHead:
        return head

    assert verify(changed(data, InspectionHead, other_log), log_keys=[key_of("other").public]).size == door.size


@pytest.mark.parametrize("reader", ["auditor", "ministry"])
def test_who_watches_the_quota_gets_the_file(door: Door, reader: str) -> None:
    assert door.get(PATH, by=reader, coin="BTC").status_code == 200


@pytest.mark.parametrize("reader", ["miner-one", "tax-authority", "afsa", "aix-one", "nobody"])
def test_to_all_others_there_is_none(door: Door, reader: str) -> None:
    """The miner too: a pool's report names other miners."""
    assert code_of(door.get(PATH, by=reader, coin="BTC")) == "not_found"


@pytest.mark.parametrize(("miner", "coin"), [("miner-two", "BTC"), ("miner-one", "ETH"), ("aix-one", "BTC")])
def test_of_what_is_not_registered_there_is_no_file(door: Door, miner: str, coin: str) -> None:
    assert code_of(door.get(f"/v1/miners/{miner}/inspection", by="auditor", coin=coin)) == "not_found"


def test_a_miner_without_anything_has_a_file_too(door: Door) -> None:
    answer = door.get(PATH, by="auditor", coin="BTC", as_of="2020-01-01")
    assert verify(answer.content, door.network).obligation == 0


def lines_of(data: bytes) -> list[Any]:
    return [line for _, line in read_inspection(data)]


def changed(data: bytes, kind: type, change: Callable[[Any], Any]) -> bytes:
    """The file with every line of a kind changed, and an end that fits."""
    return inspection_file([change(line) if isinstance(line, kind) else line for line in lines_of(data)])


def replaced(**members: Any) -> Callable[[Any], Any]:
    return lambda line: msgspec.structs.replace(line, **members)


def of_inputs(change: Callable[[InspectionInputs], InspectionInputs]) -> tuple[type, Callable[[Any], Any]]:
    return InspectionInputs, change


def with_claim(key: str, **members: Any) -> Callable[[InspectionInputs], InspectionInputs]:
    def change(inputs: InspectionInputs) -> InspectionInputs:
        claim = msgspec.structs.replace(inputs.claims[key], **members)
        return msgspec.structs.replace(inputs, claims={**inputs.claims, key: claim})

    return change


def with_lot(key: str, **members: Any) -> Callable[[InspectionInputs], InspectionInputs]:
    def change(inputs: InspectionInputs) -> InspectionInputs:
        lot = msgspec.structs.replace(inputs.lots[key], **members)
        return msgspec.structs.replace(inputs, lots={**inputs.lots, key: lot})

    return change


def with_facts(**members: Any) -> Callable[[InspectionInputs], InspectionInputs]:
    def change(inputs: InspectionInputs) -> InspectionInputs:
        return msgspec.structs.replace(inputs, facts=msgspec.structs.replace(inputs.facts, **members))

    return change


def attested_as(**members: Any) -> Callable[[InspectionInputs], InspectionInputs]:
    def change(inputs: InspectionInputs) -> InspectionInputs:
        ((key, sale),) = inputs.facts.attested.items()
        return with_facts(attested={key: msgspec.structs.replace(sale, **members)})(inputs)

    return change


def decided_as(**members: Any) -> Callable[[InspectionInputs], InspectionInputs]:
    def change(inputs: InspectionInputs) -> InspectionInputs:
        ((key, (decision,)),) = inputs.facts.decisions.items()
        return with_facts(decisions={key: (msgspec.structs.replace(decision, **members),)})(inputs)

    return change


def named_twice(inputs: InspectionInputs) -> InspectionInputs:
    claim = inputs.claims["aix-one/T-0"]
    return msgspec.structs.replace(inputs, claims={**inputs.claims, "aix-one/T-9": claim})


NOBODY = "A" * 43

FORGERIES: dict[str, tuple[tuple[type, Callable[[Any], Any]], str]] = {
    "another network": ((InspectionHead, replaced(network="x:y")), "expected the network of the genesis document"),
    "no genesis": ((InspectionHead, replaced(genesis="AAAA")), "expected a genesis document"),
    "a checkpoint nobody signed": (
        (
            InspectionHead,
            lambda head: msgspec.structs.replace(head, checkpoint=(*head.checkpoint[:1], "9999", *head.checkpoint[2:])),
        ),
        "false signature",
    ),
    "no checkpoint": ((InspectionHead, replaced(checkpoint=("x",))), "expected a text"),
    "another miner": ((InspectionHead, replaced(miner="miner-two")), "expected the statement"),
    "an earlier date": ((InspectionHead, replaced(as_of="2024-01-01")), "expected the statement"),
    "no leaves": ((ProvenTransaction, replaced(leaves=())), "expected a leaf of the transaction"),
    "another path": (
        (
            ProvenTransaction,
            lambda line: msgspec.structs.replace(
                line, leaves=tuple(msgspec.structs.replace(leaf, path=leaf.path[:-1]) for leaf in line.leaves)
            ),
        ),
        "^line 2: ",
    ),
    "another leaf": (
        (
            ProvenTransaction,
            lambda line: msgspec.structs.replace(
                line, leaves=tuple(msgspec.structs.replace(leaf, leaf="{}") for leaf in line.leaves)
            ),
        ),
        "^line 2: ",
    ),
    "no submission": ((ProvenTransaction, replaced(submission=msgspec.Raw(b"{}"))), "^line 2: "),
    "registers of another digest": (
        (
            InspectionRegisters,
            lambda line: msgspec.structs.replace(line, snapshot=msgspec.structs.replace(line.snapshot, digest=NOBODY)),
        ),
        "expected registers of digest",
    ),
    "a larger lot": (of_inputs(with_lot("pool-one/1/2", quantity=2 * BTC)), "no proven report"),
    "a lot of another row": (
        of_inputs(lambda inputs: msgspec.structs.replace(inputs, lots={"pool-one/1/9": inputs.lots["pool-one/1/2"]})),
        "no proven report",
    ),
    "a lot of another report": (
        of_inputs(lambda inputs: msgspec.structs.replace(inputs, lots={"pool-one/2/2": inputs.lots["pool-one/1/2"]})),
        "no proven report",
    ),
    "a larger claim": (of_inputs(with_claim("aix-one/T-0", quantity=BTC)), "no proven sale"),
    "a larger gross claim": (of_inputs(with_claim("aix-one/T-1", quantity=BTC)), "no proven sale"),
    "a larger netted claim": (of_inputs(with_claim("aix-one/T-2", quantity=BTC)), "no proven sale"),
    "a claim that was never settled": (of_inputs(with_claim("aix-one/T-0", transaction=NOBODY)), "no proven sale"),
    "one sale claimed twice": (of_inputs(named_twice), "no proven sale"),
    "a larger attested sale": (of_inputs(attested_as(quantity=BTC)), "no proven attestation"),
    "an attested sale nobody sent": (of_inputs(attested_as(transaction=NOBODY)), "no proven attestation"),
    "another verdict": (of_inputs(decided_as(verdict=Verdict.DISQUALIFY)), "no proven decision"),
    "a decision nobody sent": (of_inputs(decided_as(transaction=NOBODY)), "no proven decision"),
    "a flag that is gone": (of_inputs(with_facts(flags={})), "expected the statement"),
    "another share": (
        of_inputs(lambda inputs: msgspec.structs.replace(inputs, policies=inputs.policies[1:])),
        "expected the statement",
    ),
    "a smaller shortfall": (
        (
            InspectionStatement,
            lambda line: msgspec.structs.replace(line, statement=msgspec.structs.replace(line.statement, shortfall=0)),
        ),
        "expected the statement",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_changed_is_found(data: bytes, name: str) -> None:
    (kind, change), cause = FORGERIES[name]
    with pytest.raises(InspectionFault, match=cause):
        verify(changed(data, kind, change))


def test_another_network_than_the_one_asked_for_is_refused(data: bytes) -> None:
    with pytest.raises(InspectionFault, match="expected network other"):
        verify(data, "other:" + NOBODY)


@pytest.mark.parametrize("kind", [InspectionRegisters, InspectionInputs, InspectionStatement, ProvenTransaction])
def test_no_part_may_be_missing(data: bytes, kind: type) -> None:
    with pytest.raises(InspectionFault):
        verify(inspection_file([line for line in lines_of(data) if not isinstance(line, kind)]))


def test_no_part_may_stand_twice_or_out_of_order(data: bytes) -> None:
    lines = lines_of(data)
    for mixed in (lines[::-1], [*lines, lines[-1]], [*lines, lines[1]], [lines[0], *lines], lines[1:], []):
        with pytest.raises(InspectionFault):
            verify(inspection_file(mixed))


def test_a_transaction_of_another_network_or_of_other_signatures_is_refused(data: bytes, door: Door) -> None:
    lines = lines_of(data)
    first, second = [line for line in lines if isinstance(line, ProvenTransaction)][:2]
    swapped = msgspec.structs.replace(first, submission=second.submission)
    with pytest.raises(InspectionFault, match="another transaction, kind or signatures"):
        verify(inspection_file([swapped if line is first else line for line in lines]))
    foreign = door.book.signed(
        "claim_flag",
        {"claim": "aix-one/T-0", "reason": "other", "evidence": [NOBODY]},
        by="ministry",
        network="other:" + NOBODY,
    )
    other = msgspec.structs.replace(first, submission=msgspec.Raw(foreign))
    with pytest.raises(InspectionFault, match="expected a transaction of"):
        verify(inspection_file([other if line is first else line for line in lines]))


def test_a_refusal_proves_nothing(data: bytes, door: Door) -> None:
    refusal = RefusalLeaf(
        v=1,
        sequence=0,
        salt="A" * 22,
        transaction=NOBODY,
        authorised_by=NOBODY,
        kind="claim_flag",
        line=0,
        code="x_y",
    )
    leaf = canonical.encode(refusal).decode()
    with pytest.raises(InspectionFault, match="the leaf of what was accepted"):
        verify(
            changed(
                data,
                ProvenTransaction,
                lambda line: msgspec.structs.replace(
                    line, leaves=(msgspec.structs.replace(line.leaves[0], leaf=leaf),)
                ),
            )
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), byte=st.integers(0, 255))
def test_no_byte_is_free(data: bytes, place: int, byte: int) -> None:
    at = place % len(data)
    if data[at] == byte:
        return
    with pytest.raises(InspectionFault):
        verify(data[:at] + bytes([byte]) + data[at + 1 :])


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_a_file_that_was_cut_is_refused(data: bytes, cut: int) -> None:
    for short in (data[:-cut], data + b"\n", data + data, b"", b"\n"):
        with pytest.raises(InspectionFault):
            verify(short)


def test_too_many_transactions_are_told(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_api.inspection.TRANSACTIONS_MAX", 3)
    assert code_of(door.get(PATH, by="auditor", coin="BTC")) == "request_invalid"
    monkeypatch.setattr("wallet_api.inspection.TRANSACTIONS_MAX", 1)
    assert code_of(door.get(PATH, by="auditor", coin="BTC")) == "request_invalid"


def test_a_store_that_does_not_answer_is_a_problem_that_passes(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise Unavailable("store_unavailable", "no")

    monkeypatch.setattr(door.parts.sequencer, "first_answer", fails)
    assert code_of(door.get(PATH, by="auditor", coin="BTC")) == "store_unavailable"


def test_a_checkpoint_that_is_too_old_asks_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_api.inspection.parse_checkpoint", lambda text: [_Small()])
    assert code_of(door.get(PATH, by="auditor", coin="BTC")) == "views_behind"


class _Small:
    size = 5
