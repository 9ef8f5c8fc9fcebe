"""Two readers of one type: what msgspec takes, pydantic takes, and the other way round (design D7)."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.crypto import canonical
from ledger.model.transactions import Transaction
from ledger.rules.bulk import BulkTransfer
from ledger.rules.transfers import Transfer
from settlement.rules import RULEBOOK
from tests.book import START_US, own_account, reference_at, wallet
from wallet_api.schemas import components, model_of

BANK_A, WALLET_A = own_account("601"), wallet("601", 1)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def is_taken_by_msgspec(content: bytes, struct: Any) -> bool:
    try:
        canonical.decode(content, struct)
    except canonical.NotCanonical:
        return False
    return True


def is_taken_by_pydantic(content: bytes, struct: Any) -> bool:
    try:
        model_of(struct).model_validate_json(content)
    except ValidationError:
        return False
    return True


TRANSFER: dict[str, Any] = {
    "body": {"amount": 1, "asset": "KZT", "credit": WALLET_A, "debit": BANK_A},
    "kind": "transfer",
    "network": "test:" + "A" * 43,
    "participant": "bank-a",
    "reference": reference_at(START_US, 1),
}


@given(
    place=st.sampled_from(
        ["amount", "asset", "credit", "debit", "kind", "network", "participant", "reference", "body"]
    ),
    value=JSON | st.sampled_from([1, 10**15, 10**15 + 1, 0, -1, "KZT", "BTC:x", BANK_A, BANK_A + "\n", "test:"]),
)
def test_both_readers_take_the_same_transactions(place: str, value: Any) -> None:
    edited: dict[str, Any] = json.loads(json.dumps(TRANSFER))
    (edited["body"] if place in edited["body"] else edited)[place] = value
    try:
        content = canonical.encode(edited)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError):
        return
    taken = is_taken_by_msgspec(content, Transaction[Transfer])
    assert taken <= is_taken_by_pydantic(content, Transaction[Transfer])
    if place != "body" and not isinstance(value, str):
        # Texts have one more rule, which characters may stand in them; it is about bytes, not about types.
        assert taken == is_taken_by_pydantic(content, Transaction[Transfer])


@pytest.mark.parametrize(
    "change",
    [{"amount": "1"}, {"amount": 1.0}, {"amount": True}, {"amount": None}, {"fee": 1}, {"amount": 10**30}],
    ids=str,
)
def test_nothing_is_coerced(change: dict[str, Any]) -> None:
    content = json.dumps(TRANSFER | {"body": TRANSFER["body"] | change}).encode()
    assert not is_taken_by_pydantic(content, Transaction[Transfer])


def test_an_optional_member_is_absent_and_never_null() -> None:
    assert is_taken_by_pydantic(json.dumps(TRANSFER).encode(), Transaction[Transfer])
    assert not is_taken_by_pydantic(json.dumps(TRANSFER | {"expires": None}).encode(), Transaction[Transfer])


@pytest.mark.parametrize("kind", RULEBOOK.kinds.values(), ids=RULEBOOK.kinds.keys())
def test_every_kind_has_a_schema_without_null_and_with_patterns_of_the_standard(kind: Any) -> None:
    text = json.dumps(components(Transaction[kind.body]))
    assert "null" not in text
    assert r"\\A" not in text
    assert r"\\Z" not in text


def test_bounds_and_texts_are_those_of_the_types() -> None:
    schemas = components(BulkTransfer)
    lines = schemas["BulkTransfer"]["properties"]["lines"]
    assert lines["maxItems"] == 8_192
    assert schemas["Line"]["properties"]["amount"]["maximum"] == 10**15
    assert schemas["BulkTransfer"]["description"] == BulkTransfer.__doc__


def test_a_member_whose_name_pydantic_keeps_for_itself_is_there_all_the_same() -> None:
    class Named(msgspec.Struct, frozen=True):
        register: int

    assert components_of_local(Named)["properties"].keys() == {"register"}


def components_of_local(struct: Any) -> dict[str, Any]:
    schema: dict[str, Any] = model_of(struct).model_json_schema()
    return schema


def test_a_tagged_struct_says_what_it_is() -> None:
    from ledger.model.journal import BlockLeaf

    assert components(BlockLeaf)["BlockLeaf"]["properties"]["type"]["const"] == "block"


def test_a_type_that_signed_values_do_not_have_is_no_part_of_the_api() -> None:
    class Floating(msgspec.Struct, frozen=True):
        price: float

    with pytest.raises(TypeError, match="FloatType"):
        model_of(Floating)
