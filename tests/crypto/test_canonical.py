"""The canonical form: what it is, and everything it is not."""

import json
import unicodedata
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.crypto.canonical import (
    INTEGER_MAX,
    NotCanonical,
    b64url,
    b64url_decode,
    b64url_each,
    check_text,
    decode,
    encode,
)

PERMITTED = [
    *range(0x20, 0x7F),
    *range(0xA0, 0xAD),
    *range(0xAE, 0x180),
    *range(0x400, 0x483),
    *range(0x48A, 0x530),
    *map(ord, "–—‘’“”…№₸"),
]

Amount = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
texts = st.text(st.sampled_from([chr(number) for number in PERMITTED]))
keys = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
trees = st.recursive(
    st.booleans() | st.integers(0, INTEGER_MAX) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


class Colour(Enum):
    GOLD = "gold"


class Level(IntEnum):
    ONE = 1


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    amount: Amount
    label: str = ""
    final: bool = False
    colour: Colour = Colour.GOLD
    side: Literal["debit", "credit"] = "debit"
    lines: tuple["Line", ...] = ()
    note: str | None = None


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="body"):
    body: Line
    pair: tuple[str, Amount] = ("", 0)
    lines: list[Line] = []


class Other(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag="other"):
    text: str


# --- what it is ------------------------------------------------------------------------------------


def test_members_are_sorted_and_defaults_left_out() -> None:
    value = Body(body=Line(label="Қуат", amount=5), lines=[Line(amount=1)])
    data = '{"body":{"amount":5,"label":"Қуат"},"lines":[{"amount":1}],"type":"body"}'.encode()
    assert encode(value) == data
    assert decode(data, Body) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"literals": [True, False]}, b'{"literals":[true,false]}'),
        ({"peach": "This sorting order", "10": "1", "1": {"f": {"f": "hi", "F": 5}}, "": "empty", "A": {}},
         b'{"":"empty","1":{"f":{"F":5,"f":"hi"}},"10":"1","A":{},"peach":"This sorting order"}'),
        ([56, {"d": True, "10": "", "1": []}], b'[56,{"1":[],"10":"","d":true}]'),
        ("A'B\"\\\\\"/", b'"A\'B\\"\\\\\\\\\\"/"'),
        (0, b"0"),
        (9007199254740991, b"9007199254740991"),
    ],
)  # fmt: skip
def test_the_examples_of_rfc_8785_that_the_restriction_leaves(value: Any, expected: bytes) -> None:
    assert encode(value) == rfc8785.dumps(value) == expected
    assert decode(expected, Any) == value


@given(trees)
def test_the_oracle_writes_the_same_bytes_and_they_are_read_back(tree: Any) -> None:
    data = encode(tree)
    assert data == rfc8785.dumps(tree)
    assert decode(data, Any) == tree


@given(trees)
def test_no_other_spelling_of_the_same_tree_is_read(tree: Any) -> None:
    for data in (json.dumps(tree).encode(), json.dumps(tree, indent=1, ensure_ascii=False).encode()):
        if data == encode(tree):
            assert decode(data, Any) == tree
        else:
            with pytest.raises(NotCanonical):
                decode(data, Any)


@given(st.binary(max_size=40) | texts.map(str.encode) | st.text('[]{}":,\\u0123456789.eE+-truefalsnl ').map(str.encode))
def test_whatever_is_read_is_its_own_re_encoding(data: bytes) -> None:
    try:
        value: Any = decode(data, Any)
    except NotCanonical:
        return
    assert encode(value) == rfc8785.dumps(value) == data


# --- what it is not --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'{"body":{"amount":"5"},"type":"body"}', "Expected `int`, got `str` - at `$.body.amount`"),
        (b'{"body":{"amount":-1},"type":"body"}', "`$.body.amount`"),
        (b'{"body":{"amount":9007199254740992},"type":"body"}', "`$.body.amount`"),
        (b'{"body":{"amount":1.5},"type":"body"}', "`$.body.amount`"),
        (b'{"body":{"amount":null},"type":"body"}', "`$.body.amount`"),
        (b'{"body":{"amount":true},"type":"body"}', "`$.body.amount`"),
        (b'{"body":{"amount":1,"sum":1},"type":"body"}', "unknown field `sum` - at `$.body`"),
        (b'{"type":"body"}', "missing required field `body` - at `$`"),
        (b'{"body":{"amount":1},"type":"other"}', "Invalid value 'other' - at `$.type`"),
        (b'{"body":{"amount":1.0},"type":"body"}', "got `float` - at `$.body.amount`"),
        (b'{"body":{"amount":1,"amount":1},"type":"body"}', "at byte 19"),
        (b'{"body":{"amount":1,"label":""},"type":"body"}', "at byte 19"),
        (b'{"body":{"amount":1,"note":null},"type":"body"}', "at byte 19"),
        (b'{"type":"body","body":{"amount":1}}', "at byte 2"),
        (b'{"body":{"amount":1}, "type":"body"}', "at byte 21"),
        (b'{"body":{"amount":1},"type":"body"}\n', "U+000A at character 35"),
        (b'{"body":{"amount":1},"type":"body"} ', "at byte 35"),
        (b'{"body":{"amount":1},"type":"body"}x', "trailing characters (byte 36)"),
        (b'{"body":{"amount":1},"type":"body"', "Input data was truncated - at `$`"),
        (b'{"body":{"amount":1,"label":"\\u0041"},"type":"body"}', "escapes"),
        (b'{"body":{"amount":1,"label":"\\/"},"type":"body"}', "escapes"),
        (b'{"body":{"amount":1,"label":"\\n"},"type":"body"}', "escapes"),
        (b'{"body":{"amount":1,"label":"\\ud800"},"type":"body"}', "escapes"),
        (b'{"body":{"amount":1,"label":"a\tb"},"type":"body"}', "U+0009 at character 30"),
        (b'{"body":{"amount":1,"label":"\xff"},"type":"body"}', "UTF-8 text, got another byte at byte 29"),
        (b'{"body":{"amount":1,"label":"\xed\xa0\x80"},"type":"body"}', "UTF-8"),
        (b'\xef\xbb\xbf{"body":{"amount":1},"type":"body"}', "U+FEFF at character 0"),
        (b"", "truncated"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_place(data: bytes, place: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        decode(data, Body)
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'{"a":[1,0.5]}', "fraction or exponent - at `$.a[1]`"),
        (b'{"a":-1}', "from 0 to 2^53-1, got another one - at `$.a`"),
        (b'{"a":9007199254740992}', "from 0 to 2^53-1, got another one - at `$.a`"),
        (b'{"a":' + b"9" * 1000 + b"}", "from 0 to 2^53-1"),
        (b'{"a":' + b"9" * 5000 + b"}", "out of range"),
        (b'{"a":1e400}', "out of range"),
        (b'{"a":1e3}', "at byte 6"),
        (b'{"a":-0}', "at byte 5"),
        (b'{"a":NaN}', "(byte 5)"),
        (b'{"a":Infinity}', "(byte 5)"),
        (b'{"a":null}', "got null - at `$.a`"),
        ('{"қ":1}'.encode(), "ASCII keys, got `қ` - at `$`"),
        (b'{"a":1,"a":1}', "at byte 6"),
        (b"[" * 100_000, "recursion depth"),
        (b"[" * 100_000 + b"]" * 100_000, "recursion depth"),
    ],
)  # fmt: skip
def test_an_open_type_is_held_to_the_same_rules(data: bytes, place: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        decode(data, Any)
    assert place in str(caught.value)


@pytest.mark.parametrize("type_", [Any, dict, dict[str, Any], dict[str, int], dict[str, Amount], msgspec.Raw, object])
def test_dictionaries_and_raw_members_hide_nothing(type_: Any) -> None:
    assert decode(b'{"a":1}', type_) is not None
    for data in (
        b'{"a":-1}',
        b'{"b":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a": 1}',
        '{"ә":1}'.encode(),
        b'{"a":0.5}',
    ):
        with pytest.raises(NotCanonical):
            decode(data, type_)


@pytest.mark.parametrize("data", [b'{"a":1e400}', b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"])
def test_raw_members_that_nobody_can_read_are_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        decode(data, msgspec.Raw)


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        (list[int], b"[1]", b"[-1]"),
        (int, b"9007199254740991", b"9007199254740992"),
        (int, b"0", b"-1"),
        (Annotated[int, msgspec.Meta(ge=0)], b"1", b"9007199254740992"),
        (Annotated[int, msgspec.Meta(ge=-5, le=5)], b"1", b"-1"),
        (Annotated[int, msgspec.Meta(le=5)], b"1", b"-1"),
        (float, None, b"0.5"),
        (tuple[str, int], b'["a",1]', b'["a",-1]'),
        (Literal[1, -1], b"1", b"-1"),
        (Level, b"1", b"2"),
        (str | None, b'"null"', b"null"),
        (Amount | None, b"1", b"null"),
    ],
)
def test_types_with_loose_bounds_are_held_to_the_same_rules(type_: Any, good: bytes | None, bad: bytes) -> None:
    if good is not None:
        assert encode(decode(good, type_)) == good
    with pytest.raises(NotCanonical):
        decode(bad, type_)


def test_a_union_is_read_by_its_tag() -> None:
    assert decode(b'{"text":"null","type":"other"}', Body | Other) == Other(text="null")


def test_a_field_whose_name_is_not_ascii_is_never_canonical() -> None:
    odd = msgspec.defstruct("odd", [("ә", str)])
    with pytest.raises(NotCanonical, match="ASCII keys"):
        decode('{"ә":""}'.encode(), odd)


def test_a_message_does_not_repeat_the_senders_text_at_length() -> None:
    with pytest.raises(NotCanonical) as caught:
        decode(b'{"' + b"a" * 100_000 + b'":1}', Body)
    assert len(str(caught.value)) == canonical.MESSAGE_CHARACTERS_MAX


# --- text ------------------------------------------------------------------------------------------


def test_exactly_the_listed_characters_are_permitted() -> None:
    permitted = []
    for number in range(0x110000):
        try:
            check_text(chr(number))
        except NotCanonical:
            continue
        permitted.append(number)
    assert permitted == sorted(PERMITTED)


def test_a_document_permits_the_same_characters_as_a_text() -> None:
    permitted = set(PERMITTED)
    for number in [*range(0x800), *range(0x2000, 0x2200), 0xFEFF, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF]:
        data = encode(chr(number))
        if number in permitted:
            assert decode(data, str) == chr(number)
        else:
            with pytest.raises(NotCanonical):
                decode(data, str)


def test_a_forbidden_character_is_named_by_number_and_position() -> None:
    with pytest.raises(NotCanonical, match=r"U\+00AD at character 2"):
        check_text("ab\u00adc")
    with pytest.raises(NotCanonical, match=r"U\+D800 at character 0"):
        check_text("\ud800")


def test_a_backslash_and_a_quotation_mark_are_text_like_any_other() -> None:
    check_text('\\"')
    assert decode(rb'"\\\"\\n"', str) == '\\"\\n'


@given(texts)
def test_permitted_text_is_in_normalisation_form_c(text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)


def test_no_pair_of_permitted_characters_composes() -> None:
    text = "".join(map(chr, PERMITTED))
    assert all(unicodedata.combining(character) == 0 for character in text)
    assert all(unicodedata.normalize("NFC", character) == character for character in text)


# --- base64url -------------------------------------------------------------------------------------


@given(st.binary(max_size=100))
def test_base64url_is_read_back(data: bytes) -> None:
    assert b64url_decode(b64url(data)) == data
    assert b64url_decode(b64url(data), length=len(data)) == data
    with pytest.raises(NotCanonical, match=f"of {len(data) + 1} bytes, got {len(data)} bytes"):
        b64url_decode(b64url(data), length=len(data) + 1)


@given(st.text("AQgw-_+/= \n\0é", max_size=9))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        data = b64url_decode(text)
    except NotCanonical:
        return
    assert b64url(data) == text


def test_base64url_uses_the_url_alphabet_without_padding() -> None:
    assert b64url(b"\xfb\xff\xfe\x00") == "-__-AA"


@pytest.mark.parametrize(
    "text",
    ["A", "AAAAA", "AB", "AAB", "AA==", "AAA=", "A A", "AA\n", "A+AA", "A/AA", "AAAА", "AAA\0", "=", "A\ud800"],
)
def test_base64url_in_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(NotCanonical, match="expected base64url"):
        b64url_decode(text)


@given(st.integers(1, 40), st.integers(0, 9), st.data())
def test_many_texts_at_once_are_those_of_each(length: int, count: int, data: st.DataObject) -> None:
    parts = [data.draw(st.binary(min_size=length, max_size=length)) for _ in range(count)]
    assert b64url_each(b"".join(parts), length) == [b64url(part) for part in parts]
