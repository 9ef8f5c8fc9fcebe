"""The check digit of a BIN or IIN."""

import pytest

from settlement.model.identifiers import has_valid_check_digit


@pytest.mark.parametrize(
    ("first_eleven", "check_digit"),
    [
        ("10000000000", 1),
        # The first weights give 10, so the second ones decide.
        ("12345678901", 3),
        ("10000000020", 5),
        ("10000000023", 0),
        # Both give 10: the number is never assigned.
        ("10000000028", None),
    ],
)
def test_one_check_digit_is_right_or_none(first_eleven: str, check_digit: int | None) -> None:
    right = [digit for digit in range(10) if has_valid_check_digit(f"{first_eleven}{digit}")]

    assert right == ([] if check_digit is None else [check_digit])
