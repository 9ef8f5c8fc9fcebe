"""No code without a test: what the rules declare, and what the sources answer, is reached somewhere in this folder."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from ledger.model.outcome import RefusalCode
from ledger.rules.posting import POSTING_REFUSALS
from tests.book import CORE_RULEBOOK
from tests.rules.answers import ANSWERED

HERE = Path(__file__).parent
RULES = HERE.parent.parent / "ledger" / "rules"

PROBLEM = re.compile(r'(?:Inadmissible|NotAdmissible)\(\s*"([a-z_]+)"')
ENVELOPE_PROBLEM = re.compile(r'InvalidJws\(\s*"([a-z_]+)"|, "(jws_[a-z_]+)"\)')


def reached() -> set[tuple[str, str]]:
    for file in HERE.glob("test_*.py"):
        importlib.import_module(f"tests.rules.{file.stem}")
    return ANSWERED


def declared() -> Iterator[tuple[str, str]]:
    return ((kind.name, code.code) for kind in CORE_RULEBOOK.kinds.values() for code in kind.refusals)


def test_every_refusal_code_of_every_kind_is_reached() -> None:
    assert set(declared()) - reached() == set()


def test_every_code_of_the_posting_rules_is_reached() -> None:
    codes = {code for _, code in reached()}
    assert {code.code for code in POSTING_REFUSALS} - codes == set()


def test_every_code_of_the_rulebook_is_reached() -> None:
    assert set(CORE_RULEBOOK.refusal_codes()) - {code for _, code in reached()} == set()


def test_every_problem_the_sources_name_is_reached() -> None:
    problems = {code for file in RULES.glob("*.py") for code in PROBLEM.findall(file.read_text())}
    assert len(problems) > 15, "the pattern finds the problems"
    assert problems - {code for _, code in reached()} == set()


def test_every_problem_of_the_envelope_is_reached() -> None:
    source = (RULES.parent / "crypto" / "jws.py").read_text()
    problems = {code for pair in ENVELOPE_PROBLEM.findall(source) for code in pair if code}
    assert len(problems) > 5, "the pattern finds the problems"
    assert problems - {code for _, code in reached()} == set()


def test_every_code_is_explained() -> None:
    codes: list[RefusalCode] = list(CORE_RULEBOOK.refusal_codes().values())
    for code in codes:
        assert re.fullmatch(r"[a-z][a-z_]{1,63}", code.code)
        assert code.meaning.endswith("."), code
        assert code.iso is None or re.fullmatch(r"[A-Z]{2}\d\d", code.iso)
