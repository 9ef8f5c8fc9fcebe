"""The refusal codes of settlement, as a whole."""

from pathlib import Path

from ledger.rules.core import CORE_MODULES
from ledger.rules.rulebook import Rulebook
from settlement.rules import RULEBOOK

CORE_CODES = Rulebook(1, CORE_MODULES).refusal_codes()


def test_every_code_is_reached_by_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))

    assert [code for code in RULEBOOK.refusal_codes() if code not in CORE_CODES and f'"{code}"' not in tests] == []


def test_every_code_is_one_refusal_wherever_it_is_used() -> None:
    refusals = {refusal for kind in RULEBOOK.kinds.values() for refusal in RULEBOOK.refusals(kind)}

    assert len(refusals) == len(RULEBOOK.refusal_codes())
    assert all(refusal.meaning.endswith(".") for refusal in refusals)


def test_no_kind_names_a_code_twice() -> None:
    for kind in RULEBOOK.kinds.values():
        codes = [refusal.code for refusal in RULEBOOK.refusals(kind)]
        assert len(codes) == len(set(codes)), kind.name
