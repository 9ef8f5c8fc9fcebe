"""The table of problems: whole, unambiguous, and every code of it reached by a test."""

import re
from pathlib import Path
from typing import Final

import pytest

from ledger.model.outcome import RefusalCode
from ledger.rules.rulebook import Rulebook
from settlement.rules import RULEBOOK
from wallet_api.problems import PROBLEMS, REFUSED, Problem, _table, document, printable

TESTS: Final = Path(__file__).parents[1]

ELSEWHERE: Final[dict[str, str]] = {}
"""Codes that no test can reach through the public interface, with the reason."""


def test_every_problem_code_is_reached_by_some_test() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in TESTS.rglob("test_*.py") if file != Path(__file__))
    reached = set(re.findall(r"\"([a-z_]+)\"", text))
    names = set(re.findall(r"\b([A-Z_]+)\b", text))
    missing = {code for code in PROBLEMS if code not in reached and code.upper() not in names}
    assert missing == set(ELSEWHERE)


def test_a_refusal_has_a_status_of_its_own() -> None:
    refusals = RULEBOOK.refusal_codes().keys()
    assert {code for code, problem in PROBLEMS.items() if problem.status == REFUSED} == set(refusals)


def test_statuses_are_those_of_errors_and_what_is_the_nodes_passes() -> None:
    for code, problem in PROBLEMS.items():
        assert 400 <= problem.status < 600
        assert problem.title.endswith("."), code
        if problem.status >= 500 or problem.status == 429:
            # The rules fail on the same transaction again.
            assert problem.is_transient is (code != "undecidable"), code


def test_no_refusal_is_named_like_a_problem() -> None:
    class Clashing(Rulebook):
        def refusal_codes(self) -> dict[str, RefusalCode]:
            return {"queue_full": RefusalCode("queue_full", "Everything is full.")}

    with pytest.raises(ValueError, match="queue_full"):
        _table([Clashing(1, RULEBOOK.modules)])


@pytest.mark.parametrize(
    "text", ["\ud800", "a\x00b", "\u202etxet", "line\nbreak", "x" * 10_000, "№ ₸ қ", "\U0001f4a9\udfff"]
)
def test_a_detail_can_always_be_encoded_and_shown(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= 6_000
    assert b'"code":"jws_malformed"' in document(Problem("jws_malformed", text))


def test_kazakh_text_is_shown_as_it_is() -> None:
    assert printable("Қате: 5 ₸") == "Қате: 5 ₸"
