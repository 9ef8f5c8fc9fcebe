"""Signatures in transit: two libraries agree on the good ones, and every bad one has its code."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import OKPKey

from ledger.crypto import jws
from ledger.crypto.canonical import MESSAGE_CHARACTERS_MAX, b64url, b64url_decode, encode
from ledger.crypto.jws import (
    SIGNATURES_MAX,
    TYP_CLIENT,
    TYP_MANDATE,
    TYP_TRANSACTION,
    InvalidJws,
    Jws,
    parse,
    parse_compact,
    parse_flattened,
    parse_object,
    serialize,
    sign,
    verify_signature,
)
from ledger.crypto.keys import InvalidSignature, PrivateKey, PublicKey

KEYS = [PrivateKey.from_seed(bytes([number]) * 32) for number in range(SIGNATURES_MAX + 1)]
KEY = KEYS[0]
KID = KEY.public.kid
PUBLIC = {key.public.kid: key.public for key in KEYS}

Algorithm = Literal["Ed25519", "EdDSA"]
algorithms = st.sampled_from(jws.ALGORITHMS)
payloads = st.binary(max_size=200)


def their_key(key: PrivateKey) -> OKPKey:
    return OKPKey.import_key({**key.to_jwk()})


def header(**changes: object) -> str:
    members = {"alg": "Ed25519", "kid": KID, "typ": TYP_TRANSACTION} | changes
    return protected(encode({name: value for name, value in members.items() if value is not None}))


def protected(raw: bytes) -> str:
    return b64url(raw)


def general(payload: object = "e30", *signatures: object, **others: object) -> bytes:
    members = {"payload": payload, "signatures": list(signatures) or [member()]} | others
    return json.dumps(members, ensure_ascii=False).encode()


def member(protected_text: object = None, signature: object = None, **others: object) -> dict[str, object]:
    return {
        "protected": header() if protected_text is None else protected_text,
        "signature": b64url(bytes(64)) if signature is None else signature,
    } | others


def code_of(raw: bytes, typ: str = TYP_TRANSACTION) -> str:
    with pytest.raises(InvalidJws) as caught:
        parse(raw, typ=typ)
    return caught.value.code


# --- what is signed is verified --------------------------------------------------------------------


def test_the_signature_of_rfc_8037() -> None:
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    key = PublicKey.from_x(x)
    signed = jws.Signature(key.kid, b"eyJhbGciOiJFZERTQSJ9", b64url_decode(signature))
    payload = b"Example of Ed25519 signing"
    expected = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    assert jws.signing_input(signed.protected, payload) == expected
    verify_signature(Jws(payload, (signed,)), signed, key)


@given(payloads, st.integers(1, SIGNATURES_MAX), algorithms)
def test_what_we_sign_is_read_back_and_verified(payload: bytes, count: int, algorithm: Algorithm) -> None:
    signed = sign(payload, KEYS[:count], typ=TYP_TRANSACTION, algorithm=algorithm)
    read = parse(serialize(signed), typ=TYP_TRANSACTION)
    assert read == signed
    assert [each.kid for each in read.signatures] == [key.public.kid for key in KEYS[:count]]
    for each in read.signatures:
        verify_signature(read, each, PUBLIC[each.kid])


@given(payloads, st.integers(1, 3))
def test_what_we_sign_another_library_verifies(payload: bytes, count: int) -> None:
    data: Any = json.loads(serialize(sign(payload, KEYS[:count], typ=TYP_TRANSACTION)))
    keys = {key.public.kid: their_key(key) for key in KEYS[:count]}
    theirs = joserfc_jws.deserialize_json(data, lambda guest: keys[guest.headers()["kid"]], ["Ed25519"])
    assert theirs.payload == payload


@given(payloads, st.integers(1, 3))
def test_what_another_library_signs_we_verify(payload: bytes, count: int) -> None:
    members: Any = [
        {"protected": {"typ": TYP_MANDATE, "kid": key.public.kid, "alg": "Ed25519"}} for key in KEYS[:count]
    ]
    keys = {key.public.kid: their_key(key) for key in KEYS[:count]}
    data = joserfc_jws.serialize_json(members, payload, lambda guest: keys[guest.headers()["kid"]], ["Ed25519"])
    read = parse(json.dumps(data, indent=2).encode(), typ=TYP_MANDATE)
    assert read.payload == payload
    for each in read.signatures:
        verify_signature(read, each, PUBLIC[each.kid])


@given(payloads)
def test_compact_and_flattened_forms_pass_between_the_libraries(payload: bytes) -> None:
    signed = sign(payload, [KEY], typ=TYP_CLIENT)
    compact = jws.serialize_compact(signed)
    assert joserfc_jws.deserialize_compact(compact, their_key(KEY), ["Ed25519"]).payload == payload
    flattened: Any = jws.serialize_object(signed)
    assert joserfc_jws.deserialize_json(flattened, their_key(KEY), ["Ed25519"]).payload == payload

    protected_members = {"alg": "Ed25519", "kid": KID, "typ": TYP_CLIENT}
    theirs = joserfc_jws.serialize_compact(protected_members, payload, their_key(KEY), ["Ed25519"])
    assert parse_compact(theirs, typ=TYP_CLIENT) == parse_compact(compact, typ=TYP_CLIENT) == signed
    assert parse_object(flattened, typ=TYP_CLIENT) == signed
    assert parse_flattened(**flattened, typ=TYP_CLIENT) == signed


@given(payloads, st.integers(0, 63), st.integers(0, 7))
def test_a_changed_signature_fails_with_us_and_with_the_other_library(payload: bytes, position: int, bit: int) -> None:
    signed = sign(payload, [KEY], typ=TYP_TRANSACTION)
    flipped = bytearray(signed.signatures[0].signature)
    flipped[position] ^= 1 << bit
    changed = jws.Signature(KID, signed.signatures[0].protected, bytes(flipped))
    with pytest.raises(InvalidSignature):
        verify_signature(signed, changed, KEY.public)
    data: Any = json.loads(serialize(Jws(payload, (changed,))))
    with pytest.raises(BadSignatureError):
        joserfc_jws.deserialize_json(data, their_key(KEY), ["Ed25519"])


def test_a_signature_covers_payload_and_header() -> None:
    signed = sign(b"{}", [KEY], typ=TYP_TRANSACTION)
    (signature,) = signed.signatures
    with pytest.raises(InvalidSignature):
        verify_signature(Jws(b"[]", signed.signatures), signature, KEY.public)
    older = jws.Signature(KID, header(alg="EdDSA").encode(), signature.signature)
    with pytest.raises(InvalidSignature):
        verify_signature(signed, older, KEY.public)


def test_a_signature_is_verified_with_the_key_it_names_only() -> None:
    signed = sign(b"{}", [KEY], typ=TYP_TRANSACTION)
    with pytest.raises(InvalidSignature, match=f"by key {KEYS[1].public.kid}, got one by {KID}"):
        verify_signature(signed, signed.signatures[0], KEYS[1].public)


def test_the_canonical_serialization() -> None:
    signed = sign(b"{}", KEYS[:2], typ=TYP_TRANSACTION)
    assert serialize(signed) == encode(
        {
            "payload": "e30",
            "signatures": [
                {"protected": each.protected.decode(), "signature": b64url(each.signature)}
                for each in signed.signatures
            ],
        }
    )
    assert signed.signatures[0].protected.decode() == header()


def test_a_megabyte_is_carried_like_any_payload() -> None:
    payload = bytes(range(256)) * 4096
    signed = sign(payload, KEYS[:2], typ=TYP_TRANSACTION)
    read = parse(serialize(signed), typ=TYP_TRANSACTION)
    assert read.payload == payload
    assert read.payload_b64 == b64url(payload).encode()


def test_a_signature_can_be_added_to_what_others_signed() -> None:
    first = sign(b"{}", [KEYS[0]], typ=TYP_TRANSACTION)
    assert jws.add_signature(first, KEYS[1], typ=TYP_TRANSACTION) == sign(b"{}", KEYS[:2], typ=TYP_TRANSACTION)


def test_signing_keeps_the_limits_of_reading() -> None:
    with pytest.raises(InvalidJws, match="1 to 16 signatures, got 0") as caught:
        sign(b"{}", [], typ=TYP_TRANSACTION)
    assert caught.value.code == "jws_signature_count"
    with pytest.raises(InvalidJws, match="at most 16") as caught:
        sign(b"{}", KEYS, typ=TYP_TRANSACTION)
    assert caught.value.code == "jws_signature_count"
    with pytest.raises(InvalidJws, match="sign once") as caught:
        sign(b"{}", [KEY, KEYS[1], KEY], typ=TYP_TRANSACTION)
    assert caught.value.code == "jws_duplicate_key"


# --- what is malformed is refused ------------------------------------------------------------------


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
