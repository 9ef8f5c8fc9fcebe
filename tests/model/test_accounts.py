"""Account ids in the form of Kazakh IBANs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.model.accounts import has_valid_check_digits, iban, participant_code
from ledger.units import AccountId

PUBLISHED = [
    "KZ86125KZT5004100100",  # the example of the SWIFT IBAN registry
    "KZ176010251000042993",
    "KZ75125KZT1001300335",
]
"""IBANs that stand in public documents of Kazakhstan."""

CODES = st.from_regex(r"\A[0-9]{3}\Z")
NUMBERS = st.from_regex(r"\A[0-9A-Z]{13}\Z")


@pytest.mark.parametrize("account", PUBLISHED)
def test_published_ibans_have_valid_check_digits(account: str) -> None:
    assert has_valid_check_digits(AccountId(account))


@pytest.mark.parametrize("account", PUBLISHED)
def test_published_ibans_are_made_from_code_and_number(account: str) -> None:
    assert iban(account[4:7], account[7:]) == account
    assert participant_code(AccountId(account)) == account[4:7]


@given(code=CODES, number=NUMBERS)
def test_what_is_made_has_valid_check_digits(code: str, number: str) -> None:
    made = iban(code, number)
    assert len(made) == 20
    assert has_valid_check_digits(made)
    assert participant_code(made) == code


@given(code=CODES, number=NUMBERS, place=st.integers(2, 19), other=st.sampled_from("0123456789"))
def test_one_mistyped_digit_is_found(code: str, number: str, place: int, other: str) -> None:
    made = iban(code, number)
    if made[place].isdigit() and made[place] != other:
        assert not has_valid_check_digits(AccountId(made[:place] + other + made[place + 1 :]))


@pytest.mark.parametrize(("code", "number"), [("12", "0" * 13), ("1234", "0" * 13), ("123", "0" * 12)])
def test_a_code_has_three_digits_and_a_number_thirteen_characters(code: str, number: str) -> None:
    with pytest.raises(AssertionError):
        iban(code, number)
