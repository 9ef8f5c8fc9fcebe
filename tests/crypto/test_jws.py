"""Signatures in transit: two libraries agree on the good ones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.errors import BadSignatureError

from ledger.crypto import jws
from ledger.crypto.canonical import b64url, b64url_decode, encode
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
from ledger.crypto.keys import InvalidSignature, PublicKey
from tests.crypto.envelopes import (
    KEY,
    KEYS,
    KID,
    PUBLIC,
    Algorithm,
    algorithms,
    header,
    payloads,
    their_key,
)


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
