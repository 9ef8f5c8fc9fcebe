"""Claims that are doubted: flags by an authority or the operator, decisions by two signatories."""

from typing import Any

import pytest

from ledger.crypto import canonical
from ledger.model.outcome import Outcome
from ledger.units import BusinessDate
from settlement.model.claims import (
    DECISIONS_PER_CLAIM_MAX,
    EVIDENCE_MAX,
    FLAGS_PER_CLAIM_MAX,
    Reason,
    Verdict,
)
from settlement.model.statement import ClaimLine, ClaimState
from settlement.rules.claims import ClaimDecide, ClaimFlagging
from settlement.rules.tables import CLAIM_DECISIONS, QUOTA_FLAGS
from settlement.views.statements import quota_statement
from tests.book import Book, refused_with
from tests.settlement.market import accepted, commitment, market, report, row, settle
from tests.settlement.quota_cases import MINER

CLAIM = "aix-one/T-1"


@pytest.fixture
def book() -> Book:
    """The miner has produced 1 BTC and sold 0.01."""
    made = market()
    accepted(report(made, row(1)))
    accepted(settle(made, trade="T-1"))
    return made


def flag(book: Book, *, by: str = "ministry", **members: Any) -> Outcome:
    whole: dict[str, Any] = {
        "claim": CLAIM,
        "reason": Reason.WASH_ROUND_TRIP,
        "evidence": (commitment("sale"),),
    } | members
    return book.submit("claim_flag", ClaimFlagging(**whole), by=by)


def decide(
    book: Book,
    verdict: Verdict,
    *,
    decisions: int = 0,
    flags: int = 0,
    claim: str = CLAIM,
    reason: Reason = Reason.WASH_ROUND_TRIP,
) -> Outcome:
    body = ClaimDecide(
        claim=claim,
        verdict=verdict,
        reason=reason,
        order="order-1",
        decisions=decisions,
        flags=flags,
    )
    return book.submit("claim_decide", body, by="ministry", signers=("ministry-1", "ministry-2"))


def line(book: Book) -> ClaimLine:
    """The one claim, as the miner's statement prints it."""
    (found,) = quota_statement(book.state, MINER, "BTC", as_of=BusinessDate("2024-12-31")).claims
    return found


def test_a_flag_holds_a_decision_restores_and_a_later_one_supersedes(book: Book) -> None:
    assert line(book).state is ClaimState.COUNTED
    accepted(flag(book, by="operator"))
    assert (line(book).state, line(book).reasons) == (ClaimState.HELD, (Reason.WASH_ROUND_TRIP,))
    accepted(decide(book, Verdict.RESTORE, flags=1))
    assert line(book).state is ClaimState.COUNTED
    accepted(decide(book, Verdict.DISQUALIFY, decisions=1, flags=1))
    assert line(book).state is ClaimState.DISQUALIFIED
    accepted(decide(book, Verdict.RESTORE, decisions=2, flags=1))
    assert line(book).state is ClaimState.COUNTED

    decisions = book.state.get(CLAIM_DECISIONS, CLAIM)
    assert decisions is not None
    assert [each.verdict for each in decisions] == [Verdict.RESTORE, Verdict.DISQUALIFY, Verdict.RESTORE]
    book.restart()
    assert line(book).state is ClaimState.COUNTED


def test_an_open_flag_is_not_repeated_and_may_come_again_after_a_decision(book: Book) -> None:
    accepted(flag(book))
    assert refused_with(flag(book)) == "claim_flagged"
    accepted(flag(book, reason=Reason.COINS_RETURNED))
    accepted(decide(book, Verdict.RESTORE, flags=2))
    accepted(flag(book))

    assert line(book).state is ClaimState.HELD


def test_a_claim_that_is_not_there_is_neither_flagged_nor_decided(book: Book) -> None:
    assert refused_with(flag(book, claim="aix-one/T-2")) == "claim_unknown"
    assert refused_with(decide(book, Verdict.RESTORE, claim="aix-two/T-1")) == "claim_unknown"


def test_a_decision_knows_all_that_was_said(book: Book) -> None:
    accepted(flag(book))
    assert refused_with(decide(book, Verdict.RESTORE)) == "decision_out_of_date"
    assert refused_with(decide(book, Verdict.RESTORE, decisions=1, flags=1)) == "decision_out_of_date"
    accepted(decide(book, Verdict.RESTORE, flags=1))
    assert refused_with(decide(book, Verdict.DISQUALIFY, flags=1)) == "decision_out_of_date"


def test_flags_and_decisions_have_limits(book: Book) -> None:
    for number in range(DECISIONS_PER_CLAIM_MAX):
        accepted(flag(book))
        accepted(decide(book, Verdict.RESTORE, decisions=number, flags=number + 1))
    flags = book.state.get(QUOTA_FLAGS, CLAIM)
    assert flags is not None
    assert len(flags) == FLAGS_PER_CLAIM_MAX == DECISIONS_PER_CLAIM_MAX

    assert refused_with(flag(book)) == "flags_too_many"
    full = decide(book, Verdict.RESTORE, decisions=DECISIONS_PER_CLAIM_MAX, flags=FLAGS_PER_CLAIM_MAX)
    assert refused_with(full) == "decisions_too_many"


def test_two_signatories_of_a_supervisor_decide(book: Book) -> None:
    body = ClaimDecide(claim=CLAIM, verdict=Verdict.RESTORE, reason=Reason.OTHER, order="order-1", decisions=0, flags=0)

    assert book.end("claim_decide", body, by="ministry") == "signatures_insufficient"
    assert book.end("claim_decide", body, by="aix-one") == "kind_not_permitted"


def test_evidence_names_one_transaction_at_least_and_so_many_at_most() -> None:
    def decoded(count: int) -> ClaimFlagging:
        evidence = tuple(commitment(str(number)) for number in range(count))
        body = ClaimFlagging(claim=CLAIM, reason=Reason.OTHER, evidence=evidence)
        return canonical.decode(canonical.encode(body), ClaimFlagging)

    assert len(decoded(EVIDENCE_MAX).evidence) == EVIDENCE_MAX
    for count in (0, EVIDENCE_MAX + 1):
        with pytest.raises(canonical.NotCanonical, match="evidence"):
            decoded(count)
