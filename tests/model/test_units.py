"""Bounds stand in the types: at the limit and one past it."""

from typing import Any

import msgspec
import pytest

from ledger import units

TAKEN: list[tuple[Any, object]] = [
    (units.ParticipantField, "ab"),
    (units.ParticipantField, "a" * 32),
    (units.ParticipantField, "bank-1"),
    (units.AccountField, "KZ86125KZT5004100100"),
    (units.AssetField, "KZ"),
    (units.AssetField, "A" * 12),
    (units.AssetField, "BTC:aix-one"),
    (units.KidField, "-_" + "a" * 41),
    (units.SaltField, "a" * 22),
    (units.ReferenceField, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
    (units.AmountField, 1),
    (units.AmountField, units.AMOUNT_MAX),
    (units.TotalField, 0),
    (units.TotalField, units.BALANCE_MAX),
    (units.TimestampField, 0),
    (units.TimestampField, units.TIMESTAMP_MAX),
    (units.DateField, "2024-12-31"),
    (units.SignatoryField, "7"),
    (units.SignatoryField, "a" * 32),
    (units.TextField, "₸"),
    (units.TextField, "ә" * units.TEXT_LENGTH_MAX),
    (units.LabelField, "A"),
    (units.LabelField, "a" * 35),
    (units.ClassField, "own"),
    (units.KindField, "k" * 48),
]

NOT_TAKEN: list[tuple[Any, object]] = [
    (units.ParticipantField, "a"),
    (units.ParticipantField, "a" * 33),
    (units.ParticipantField, "bank-"),
    (units.ParticipantField, "1bank"),
    (units.ParticipantField, "bank-a\n"),
    (units.AccountField, "KZ86125KZT500410010"),
    (units.AccountField, "KZ86125KZT5004100100\n"),
    (units.AccountField, "kz86125kzt5004100100"),
    (units.AccountField, "DE86125KZT5004100100"),
    (units.AssetField, "K"),
    (units.AssetField, "A" * 13),
    (units.AssetField, "BTC:"),
    (units.AssetField, "BTC:AIX"),
    (units.KidField, "a" * 42),
    (units.KidField, "a" * 44),
    (units.KidField, "+" * 43),
    (units.SaltField, "a" * 23),
    (units.ReferenceField, "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"),
    (units.ReferenceField, "017f22e2-79b0-4cc3-98c4-dc0c0c07398f"),
    (units.ReferenceField, "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f"),
    (units.AmountField, 0),
    (units.AmountField, units.AMOUNT_MAX + 1),
    (units.AmountField, True),
    (units.AmountField, "1"),
    (units.TotalField, -1),
    (units.TotalField, units.BALANCE_MAX + 1),
    (units.TimestampField, -1),
    (units.TimestampField, units.TIMESTAMP_MAX + 1),
    (units.DateField, "2024-13-01"),
    (units.DateField, "2024-12-32"),
    (units.DateField, "2024-12-00"),
    (units.DateField, "24-12-01"),
    (units.SignatoryField, ""),
    (units.SignatoryField, "a" * 33),
    (units.TextField, ""),
    (units.TextField, "a" * (units.TEXT_LENGTH_MAX + 1)),
    (units.LabelField, ""),
    (units.LabelField, "a" * 36),
    (units.ClassField, "o"),
    (units.KindField, "k" * 49),
]


@pytest.mark.parametrize(("field", "value"), TAKEN, ids=str)
def test_a_value_at_its_bounds_is_taken(field: Any, value: object) -> None:
    assert msgspec.convert(value, field) == value


@pytest.mark.parametrize(("field", "value"), NOT_TAKEN, ids=repr)
def test_a_value_past_its_bounds_is_not(field: Any, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, field)
