"""Keys and envelopes for the tests of signatures in transit, good and bad."""

import json
from typing import Literal

import pytest
from hypothesis import strategies as st
from joserfc.jwk import OKPKey

from ledger.crypto import jws
from ledger.crypto.canonical import b64url, encode
from ledger.crypto.jws import SIGNATURES_MAX, TYP_TRANSACTION, InvalidJws, parse
from ledger.crypto.keys import PrivateKey

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
