"""Identification numbers of Kazakhstan: BIN of a legal entity, IIN of a natural person.

A BIN is public and may stand in the log. An IIN is personal data: only a salted commitment does (design D13), so its
check digit is a matter for who makes the commitment, not for the ledger.
"""

from typing import Annotated, Final

from msgspec import Meta

BinField = Annotated[str, Meta(pattern=r"\A[0-9]{12}\Z")]
"""Business identification number: twelve digits, the last a check digit."""

_FIRST_WEIGHTS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
_SECOND_WEIGHTS: Final = (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)


def has_valid_check_digit(number: str) -> bool:
    """Whether the twelfth digit of a BIN or IIN is right: a weighted sum modulo 11, with second weights if it is 10.

    A number for which both sums give 10 is never assigned.
    """
    remainder = _remainder(number, _FIRST_WEIGHTS)
    if remainder == 10:
        remainder = _remainder(number, _SECOND_WEIGHTS)
    return remainder == int(number[11])


def _remainder(number: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False)) % 11
