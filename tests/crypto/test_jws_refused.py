"""Signatures in transit: every bad envelope has its code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import jws
from ledger.crypto.canonical import MESSAGE_CHARACTERS_MAX, b64url, b64url_decode, encode
from ledger.crypto.jws import (
    TYP_CLIENT,
    TYP_MANDATE,
    TYP_TRANSACTION,
    InvalidJws,
    parse,
    parse_compact,
    parse_object,
    serialize,
    sign,
    verify_signature,
)
from ledger.crypto.keys import InvalidSignature
from tests.crypto.envelopes import (
    KEY,
    KEYS,
    KID,
    code_of,
    general,
    header,
    member,
    protected,
)


def test_the_builders_of_these_tests_make_good_ones() -> None:
    assert parse(general(), typ=TYP_TRANSACTION).payload == b"{}"
    assert parse(general("", member(), member(header(kid=b64url(bytes(32))))), typ=TYP_TRANSACTION).payload == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"e30"',
        b"\xff",
        b'{"payload":"\xff","signatures":[]}',
        b"\xef\xbb\xbf" + general(),
        general() + b"x",
        general()[:-1],
        b"[" * 100_000,
        general(None),
        general(5),
        general(["e30"]),
        general("e30="),
        general("e3 0"),
        general("e31"),
        general("e"),
        general("e30\n"),
        general("e3+0"),
        general("қ"),
        general("e30", "not an object"),
        general("e30", {"protected": header()}),
        general("e30", {"signature": b64url(bytes(64))}),
        general("e30", member(header=None)),
        general("e30", member(header={"kid": KID})),
        general("e30", member(header={})),
        general("e30", member(extra="")),
        general("e30", member(signature=5)),
        general("e30", member(signature="")),
        general("e30", member(signature=b64url(bytes(63)))),
        general("e30", member(signature=b64url(bytes(65)))),
        general("e30", member(signature=b64url(bytes(64)) + "==")),
        general("e30", member(signature=b64url(bytes(64))[:-1] + "B")),
        general("e30", extra=1),
        general("e30", header={}),
        general("e30", protected=header(), signature=b64url(bytes(64))),
        encode(member() | {"payload": "e30"}),
        general().replace(b'{"payload"', b'{"payload":"e30","payload"'),
        general().replace(b'{"payload"', b'{"payload":5,"payload"'),
        general().replace(b'{"payload"', b'{"signatures":[],"payload"'),
        general().replace(b'{"protected"', b'{"protected":"","protected"'),
        general().replace(b'{"protected"', b'{"signature":"","protected"'),
        general().replace(b'"payload"', b'"p\\u0061yload"'),
        general().replace(b'"e30"', b'"\\u006530"'),
        general().replace(b'{"payload"', b'{"p\\u0061yload":"e30","payload"'),
    ],
)
def test_what_is_not_a_general_serialization_is_malformed(raw: bytes) -> None:
    assert code_of(raw) == "jws_malformed"


@pytest.mark.parametrize(
    "text",
    [
        protected(b""),
        protected(b"{}"),
        protected(b"null"),
        protected(b"[" * 300),
        protected(b'{"alg":"Ed25519"}'),
        protected(b"\xef\xbb\xbf{}"),
        protected(b'{"alg":"\xff"}'),
        header(kid=None),
        header(alg=None),
        header(typ=None),
        header(kid=5),
        header(alg=5),
        header(typ=["a"]),
        header(kid=""),
        header(kid="key-1"),
        header(kid=KID + "="),
        header(kid=b64url(bytes(31))),
        header(kid=b64url(bytes(33))),
        header(kid=KID[:-1] + "\n"),
        header(crit=["exp"]),
        header(crit=[]),
        header(b64=False),
        header(jwk=KEY.to_jwk()),
        header(cty="json"),
        header(nonce="1"),
        header() + "=",
        header() + " ",
        "é",
        header()[1:],
        protected(f'{{"alg":"EdDSA","alg":"Ed25519","kid":"{KID}","typ":"{TYP_TRANSACTION}"}}'.encode()),
        protected(f'{{"alg":"Ed25519","kid":"{KID}","kid":"{KID}","typ":"{TYP_TRANSACTION}"}}'.encode()),
        protected(f'{{"\\u0061lg":"Ed25519","kid":"{KID}","typ":"{TYP_TRANSACTION}"}}'.encode()),
        protected(f'{{"alg":"Ed2551\\u0039","kid":"{KID}","typ":"{TYP_TRANSACTION}"}}'.encode()),
        protected(f'{{"alg":"Ed25519","kid":"{KID}","typ":"{TYP_TRANSACTION}"}}'.encode() + b" " * 300),
    ],
)
def test_a_protected_header_has_three_members_and_no_more(text: str) -> None:
    assert code_of(general("e30", member(text))) == "jws_header_invalid"


def test_a_protected_header_has_a_longest_length() -> None:
    def spaced(characters: int) -> str:
        plain = b64url_decode(header())
        return protected(plain + b" " * (characters * 3 // 4 - len(plain)))

    longest = spaced(jws.PROTECTED_CHARACTERS_MAX)
    assert len(longest) == jws.PROTECTED_CHARACTERS_MAX
    assert parse(general("e30", member(longest)), typ=TYP_TRANSACTION).signatures[0].kid == KID
    assert code_of(general("e30", member(spaced(jws.PROTECTED_CHARACTERS_MAX + 2)))) == "jws_header_invalid"


@pytest.mark.parametrize("alg", ["none", "None", "", "HS256", "ES256", "Ed448", "ed25519", "EdDSA ", "RS256"])
def test_only_ed25519_under_its_two_names_is_an_algorithm(alg: str) -> None:
    assert code_of(general("e30", member(header(alg=alg)))) == "jws_algorithm_invalid"


@pytest.mark.parametrize("alg", jws.ALGORITHMS)
def test_both_names_of_ed25519_are_read(alg: str) -> None:
    assert parse(general("e30", member(header(alg=alg))), typ=TYP_TRANSACTION).signatures[0].kid == KID


@pytest.mark.parametrize(
    "typ", [TYP_MANDATE, TYP_CLIENT, "", "JWT", "DT-TRANSACTION+JSON", "application/dt-transaction+json"]
)
def test_what_was_signed_for_one_purpose_does_not_serve_another(typ: str) -> None:
    raw = general("e30", member(header(typ=typ)))
    assert code_of(raw) == "jws_type_invalid"
    assert parse(raw, typ=typ).payload == b"{}"


def test_every_signature_must_be_for_the_purpose() -> None:
    other = member(header(kid=KEYS[1].public.kid, typ=TYP_MANDATE))
    assert code_of(general("e30", member(), other)) == "jws_type_invalid"


def test_there_are_one_to_sixteen_signatures() -> None:
    members = [member(header(kid=key.public.kid)) for key in KEYS]
    assert code_of(b'{"payload":"e30","signatures":[]}') == "jws_signature_count"
    assert len(parse(general("e30", *members[:16]), typ=TYP_TRANSACTION).signatures) == 16
    assert code_of(general("e30", *members)) == "jws_signature_count"


def test_each_key_signs_once() -> None:
    assert code_of(general("e30", member(), member(header(alg="EdDSA")))) == "jws_duplicate_key"


def test_a_message_is_short_and_fit_to_print() -> None:
    for raw in (general("e30", **{"a" * 10_000: 1}), general("e30", **{"\x9b2J\u202e": 1})):
        with pytest.raises(InvalidJws) as caught:
            parse(raw, typ=TYP_TRANSACTION)
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) <= MESSAGE_CHARACTERS_MAX


@given(st.binary(max_size=60) | st.text('{}[]":,payloadsigntures\\ e30').map(str.encode))
def test_arbitrary_bytes_are_refused_with_a_code(raw: bytes) -> None:
    assert code_of(raw) in {"jws_malformed", "jws_signature_count"}


@given(st.data())
def test_a_damaged_jws_is_refused_or_does_not_verify(data: st.DataObject) -> None:
    signed = sign(b'{"amount":1}', [KEY], typ=TYP_TRANSACTION)
    raw = bytearray(serialize(signed))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[position]))
    try:
        read = parse(bytes(raw), typ=TYP_TRANSACTION)
    except InvalidJws:
        return
    with pytest.raises(InvalidSignature):
        verify_signature(read, read.signatures[0], KEY.public)


# --- the short forms -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", "a.b", f"{header()}.e30", "....", f"{header()}.e30.{b64url(bytes(64))}.x"])
def test_a_compact_form_has_three_parts(text: str) -> None:
    with pytest.raises(InvalidJws, match="three base64url texts") as caught:
        parse_compact(text, typ=TYP_TRANSACTION)
    assert caught.value.code == "jws_malformed"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f".e30.{b64url(bytes(64))}", "jws_header_invalid"),
        (f"{header(typ='JWT')}.e30.{b64url(bytes(64))}", "jws_type_invalid"),
        (f"{header(alg='none')}.e30.", "jws_algorithm_invalid"),
        (f"{header()}.e30.", "jws_malformed"),
        (f"{header()}.e3.{b64url(bytes(64))}", "jws_malformed"),
        (f"{header()}.e30.{b64url(bytes(64))}\n", "jws_malformed"),
    ],
)
def test_the_parts_of_a_compact_form_are_read_as_strictly(text: str, code: str) -> None:
    with pytest.raises(InvalidJws) as caught:
        parse_compact(text, typ=TYP_TRANSACTION)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "members",
    [
        {},
        member(),
        member() | {"payload": 5},
        member() | {"payload": "e30", "header": {}},
        member() | {"payload": "e30", "signatures": []},
        {"payload": "e30", "protected": header(), "signature": None},
    ],
)
def test_a_flattened_form_has_exactly_three_texts(members: dict[str, object]) -> None:
    with pytest.raises(InvalidJws, match="exactly the texts") as caught:
        parse_object(members, typ=TYP_TRANSACTION)
    assert caught.value.code == "jws_malformed"
