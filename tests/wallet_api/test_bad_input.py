"""What is no transaction: a clear problem each, never a 500, nothing recorded, the next one served as ever."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger.crypto import canonical, jws
from ledger.crypto.canonical import b64url
from ledger.crypto.keys import PrivateKey
from ledger.units import Kid
from tests.book import START_US, key_of, reference_at
from tests.wallet_api.door import BANK_A, BANK_B, JOSE, Door, code_of

Make = Callable[[Door], bytes]


def payload(door: Door, **changes: Any) -> bytes:
    transaction = {
        "body": {"amount": 1, "asset": "KZT", "credit": BANK_B, "debit": BANK_A},
        "kind": "transfer",
        "network": door.network,
        "participant": "bank-a",
        "reference": reference_at(START_US, 77),
    }
    return canonical.encode({name: value for name, value in (transaction | changes).items() if value is not None})


def signed(content: bytes, *, key: str = "bank-a-1", typ: str = jws.TYP_TRANSACTION) -> bytes:
    return jws.serialize(jws.sign(content, [key_of(key)], typ=typ))


def with_header(door: Door, header: bytes, *, key: str = "bank-a-1") -> bytes:
    content = payload(door)
    protected = b64url(header)
    signature = key_of(key).sign(jws.signing_input(protected.encode(), content))
    return json.dumps(
        {"payload": b64url(content), "signatures": [{"protected": protected, "signature": b64url(signature)}]}
    ).encode()


def header(key: str = "bank-a-1", **changes: Any) -> bytes:
    members = {"alg": "Ed25519", "kid": key_of(key).public.kid, "typ": jws.TYP_TRANSACTION} | changes
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def edited(door: Door, **changes: Any) -> bytes:
    envelope = json.loads(signed(payload(door)))
    return json.dumps({name: value for name, value in (envelope | changes).items() if value is not None}).encode()


def body_of(**changes: Any) -> dict[str, Any]:
    return {"amount": 1, "asset": "KZT", "credit": BANK_B, "debit": BANK_A} | changes


def raw_payload(door: Door, old: bytes, new: bytes) -> bytes:
    content = payload(door)
    assert old in content
    return signed(content.replace(old, new))


ENVELOPES: dict[str, tuple[Make, str]] = {
    "nothing": (lambda _: b"", "jws_malformed"),
    "no JSON": (lambda _: b"pay bank-b, please", "jws_malformed"),
    "not UTF-8": (lambda _: b'{"payload":"\xff\xfe"}', "jws_malformed"),
    "a byte order mark": (lambda door: b"\xef\xbb\xbf" + door.transfer(), "jws_malformed"),
    "null": (lambda _: b"null", "jws_malformed"),
    "a list": (lambda _: b"[]", "jws_malformed"),
    "NaN": (lambda _: b'{"payload":NaN,"signatures":[]}', "jws_malformed"),
    "a huge number": (lambda _: b'{"payload":1e400,"signatures":[]}', "jws_malformed"),
    "a lone surrogate": (lambda _: b'{"payload":"\\ud800","signatures":[]}', "jws_malformed"),
    "deep nesting": (lambda _: b"[" * 60_000, "jws_malformed"),
    "deep nesting inside": (lambda _: b'{"payload":' + b'{"a":' * 10_000, "jws_malformed"),
    "a compact JWS": (
        lambda door: jws.serialize_compact(
            jws.sign(payload(door), [key_of("bank-a-1")], typ=jws.TYP_TRANSACTION)
        ).encode(),
        "jws_malformed",
    ),
    "a flattened JWS": (
        lambda door: json.dumps(
            jws.serialize_object(jws.sign(payload(door), [key_of("bank-a-1")], typ=jws.TYP_TRANSACTION))
        ).encode(),
        "jws_malformed",
    ),
    "half of it": (lambda door: door.transfer()[:-200], "jws_malformed"),
    "something after it": (lambda door: door.transfer() + b"{}", "jws_malformed"),
    "an unknown member": (lambda door: edited(door, note="hello"), "jws_malformed"),
    "an unprotected header": (
        lambda door: edited(
            door, signatures=[json.loads(signed(payload(door)))["signatures"][0] | {"header": {"kid": "me"}}]
        ),
        "jws_malformed",
    ),
    "a member twice": (
        lambda door: signed(payload(door)).replace(b'{"payload"', b'{"payload":"e30","payload"', 1),
        "jws_malformed",
    ),
    "no payload": (lambda door: edited(door, payload=None), "jws_malformed"),
    "padded base64": (
        lambda door: edited(door, payload=base64.urlsafe_b64encode(payload(door) + b" ").decode().rstrip("=") + "="),
        "jws_malformed",
    ),
    "no signatures": (lambda door: edited(door, signatures=[]), "jws_signature_count"),
    "seventeen signatures": (
        lambda door: edited(door, signatures=json.loads(signed(payload(door)))["signatures"] * 17),
        "jws_signature_count",
    ),
    "a key that signs twice": (
        lambda door: edited(door, signatures=json.loads(signed(payload(door)))["signatures"] * 2),
        "jws_duplicate_key",
    ),
    "a header that is no JSON": (lambda door: with_header(door, b"alg=none"), "jws_header_invalid"),
    "a header without kid": (lambda door: with_header(door, header(kid=None)), "jws_header_invalid"),
    "a header with more": (lambda door: with_header(door, header(crit=["b64"], b64=False)), "jws_header_invalid"),
    "a header member twice": (
        lambda door: with_header(door, header()[:-1] + b',"alg":"Ed25519"}'),
        "jws_header_invalid",
    ),
    "a kid that is none": (lambda door: with_header(door, header(kid="bank-a-1")), "jws_header_invalid"),
    "no algorithm": (lambda door: with_header(door, header(alg="none")), "jws_algorithm_invalid"),
    "HMAC": (lambda door: with_header(door, header(alg="HS256")), "jws_algorithm_invalid"),
    "another curve": (lambda door: with_header(door, header(alg="ES256")), "jws_algorithm_invalid"),
    "signed as a mandate": (lambda door: signed(payload(door), typ=jws.TYP_MANDATE), "jws_type_invalid"),
    "signed to authenticate": (lambda door: signed(payload(door), typ=jws.TYP_CLIENT), "jws_type_invalid"),
    "a signature over other bytes": (
        lambda door: edited(door, payload=b64url(payload(door, participant="bank-b"))),
        "signature_invalid",
    ),
    "a signature of another key": (
        lambda door: with_header(door, header(key="bank-b-1"), key="bank-a-1"),
        "signature_invalid",
    ),
    "an unknown key": (
        lambda door: jws.serialize(jws.sign(payload(door), [PrivateKey.generate()], typ=jws.TYP_TRANSACTION)),
        "key_unknown",
    ),
}

PAYLOADS: dict[str, tuple[Make, str]] = {
    "no JSON": (lambda _: signed(b"hello"), "payload_invalid"),
    "nothing": (lambda _: signed(b""), "payload_invalid"),
    "deep nesting": (lambda _: signed(b"[" * 30_000), "payload_invalid"),
    "an unknown kind": (lambda door: signed(payload(door, kind="print_money")), "kind_unknown"),
    "no body": (lambda door: signed(payload(door, body=None)), "payload_invalid"),
    "an unknown member": (lambda door: signed(payload(door, note="hi")), "payload_invalid"),
    "an unknown member of the body": (lambda door: signed(payload(door, body=body_of(fee=1))), "payload_invalid"),
    "white space": (lambda door: raw_payload(door, b'"KZT"', b' "KZT"'), "payload_invalid"),
    "keys in another order": (
        lambda door: signed(json.dumps(json.loads(payload(door)) | {"body": body_of()}).encode()),
        "payload_invalid",
    ),
    "a member twice": (lambda door: raw_payload(door, b'"asset"', b'"amount":1,"asset"'), "payload_invalid"),
    "an amount as text": (lambda door: signed(payload(door, body=body_of(amount="1"))), "payload_invalid"),
    "an amount with a fraction": (lambda door: raw_payload(door, b'"amount":1', b'"amount":1.0'), "payload_invalid"),
    "an amount with an exponent": (lambda door: raw_payload(door, b'"amount":1', b'"amount":1e3'), "payload_invalid"),
    "an infinite amount": (lambda door: raw_payload(door, b'"amount":1', b'"amount":1e400'), "payload_invalid"),
    "an amount that is no number": (lambda door: raw_payload(door, b'"amount":1', b'"amount":NaN'), "payload_invalid"),
    "an amount that is true": (lambda door: signed(payload(door, body=body_of(amount=True))), "payload_invalid"),
    "no amount": (lambda door: signed(payload(door, body=body_of(amount=None))), "payload_invalid"),
    "zero": (lambda door: signed(payload(door, body=body_of(amount=0))), "payload_invalid"),
    "less than zero": (lambda door: signed(payload(door, body=body_of(amount=-1))), "payload_invalid"),
    "too much": (lambda door: signed(payload(door, body=body_of(amount=10**15 + 1))), "payload_invalid"),
    "far too much": (lambda door: raw_payload(door, b'"amount":1', b'"amount":' + b"9" * 4_000), "payload_invalid"),
    "an account of another form": (lambda door: signed(payload(door, body=body_of(debit="DE1"))), "payload_invalid"),
    "a forbidden character": (lambda door: raw_payload(door, b"KZT", "K\u202eT".encode()), "payload_invalid"),
    "a null byte": (lambda door: raw_payload(door, b"KZT", b"K\\u0000T"), "payload_invalid"),
    "a lone surrogate": (lambda door: raw_payload(door, b"KZT", b"K\\ud800T"), "payload_invalid"),
    "bytes that are not UTF-8": (lambda door: raw_payload(door, b"KZT", b"K\xc0\xafT"), "payload_invalid"),
    "another network": (
        lambda door: signed(payload(door, network="other:" + door.network.partition(":")[2])),
        "wrong_network",
    ),
    "a network of another form": (lambda door: signed(payload(door, network="test")), "payload_invalid"),
    "an unknown sender": (lambda door: signed(payload(door, participant="bank-z")), "participant_unknown"),
    "a sender who did not sign": (lambda door: signed(payload(door, participant="bank-b")), "signatures_insufficient"),
    "a kind for others": (
        lambda door: signed(
            payload(door, kind="day_close", body={"closes": "2024-12-24", "opens": "2024-12-25"}), key="bank-a-1"
        ),
        "kind_not_permitted",
    ),
    "a key for something else": (lambda door: signed(payload(door), key="bank-a-api"), "key_use_wrong"),
    "a reference of long ago": (
        lambda door: signed(payload(door, reference=reference_at(START_US - 90_000_000_000, 1))),
        "reference_expired",
    ),
    "a reference of next week": (
        lambda door: signed(payload(door, reference=reference_at(START_US + 604_800_000_000, 1))),
        "reference_too_new",
    ),
    "a transaction that expired": (lambda door: signed(payload(door, expires=START_US - 1)), "transaction_expired"),
}

CASES = [
    pytest.param(make, code, id=f"{where}: {name}")
    for where, cases in (("envelope", ENVELOPES), ("payload", PAYLOADS))
    for name, (make, code) in cases.items()
]


@pytest.mark.parametrize(("make", "code"), CASES)
def test_what_is_no_transaction_is_told_what_is_wrong_and_leaves_no_trace(door: Door, make: Make, code: str) -> None:
    raw = make(door)
    size = door.size
    answer = door.post(raw)
    assert code_of(answer) == code, answer.text
    assert 400 <= answer.status_code < 500
    assert door.size == size
    assert "receipt" not in answer.json()


def test_a_detail_names_the_field_and_what_was_expected(door: Door) -> None:
    detail = door.post(signed(payload(door, body=body_of(amount=0)))).json()["detail"]
    assert "$.body.amount" in detail
    assert ">= 1" in detail


def test_a_revoked_key_is_told_so(door: Door) -> None:
    from ledger.rules.keys import KeyRevoke

    key = key_of("bank-b-2")
    revoke = door.signed(
        "key_revoke", KeyRevoke(kid=Kid(key.public.kid), reason="order-17"), by="bank-b", signers=("bank-b-2",)
    )
    assert door.post(revoke).status_code == 201
    size = door.size
    assert code_of(door.post(door.transfer(debit=BANK_B, credit=BANK_A, by="bank-b", signers=("bank-b-2",)))) == (
        "key_revoked"
    )
    assert door.size == size


def test_one_reference_is_not_used_for_two_payments(door: Door) -> None:
    reference = reference_at(START_US, 4_711)
    assert door.post(door.transfer(1, reference=reference)).status_code == 201
    size = door.size
    answer = door.post(door.transfer(2, reference=reference))
    assert (answer.status_code, code_of(answer)) == (409, "reference_reused")
    assert door.size == size


@pytest.mark.parametrize("has_token", [False, True])
def test_a_body_of_ten_megabytes_is_not_read(door: Door, has_token: bool) -> None:
    headers = JOSE | (door.bearer("bank-a") if has_token else {})
    answer = door.post(b" " * 10_000_000, headers)
    assert (answer.status_code, code_of(answer)) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


def test_a_body_without_a_length_is_counted_as_it_comes(door: Door) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(1_000):
            yield b" " * 1_000

    answer = door.client.post("/v1/transactions", content=chunks(), headers=JOSE)
    assert (answer.status_code, code_of(answer)) == (413, "body_too_large")
    whole = door.client.post("/v1/transactions", content=iter([door.transfer()]), headers=JOSE)
    assert whole.status_code == 201


def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not(door: Door) -> None:
    limit = door.parts.settings.body_bytes_max
    raw = door.transfer()
    assert door.post(raw + b" " * (limit - len(raw))).status_code == 201
    assert code_of(door.post(raw + b" " * (limit - len(raw) + 1))) == "body_too_large"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-type": "text/plain"}, "content_type_unsupported"),
        ({"content-type": "application/x-www-form-urlencoded"}, "content_type_unsupported"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, "content_encoding_refused"),
        ({"content-type": "application/json", "content-encoding": "identity"}, "content_encoding_refused"),
        ({"content-type": "application/json", "content-length": "-1"}, "request_invalid"),
        ({"content-type": "application/json", "content-length": "9" * 5_000}, "body_too_large"),
        ({"content-type": "application/json", "authorization": "Basic dXNlcjpwYXNz"}, "token_invalid"),
    ],
)
def test_a_submission_with_other_headers_is_told_so(door: Door, headers: dict[str, str], code: str) -> None:
    size = door.size
    assert code_of(door.post(door.transfer(), headers)) == code
    assert door.size == size


def test_a_submission_takes_no_parameters(door: Door) -> None:
    answer = door.client.post("/v1/transactions?dry_run=true", content=door.transfer(), headers=JOSE)
    assert code_of(answer) == "request_invalid"


def test_a_submission_without_a_content_type_is_told_so(door: Door) -> None:
    request = door.client.build_request("POST", "/v1/transactions", content=door.transfer())
    assert "content-type" not in request.headers
    assert code_of(door.client.send(request)) == "content_type_unsupported"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_named_wrong(door: Door, method: str) -> None:
    answer = door.client.request(method, "/v1/transactions")
    assert (answer.status_code, code_of(answer)) == (405, "method_not_allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/nothing", "/v2/transactions", "/v1/transactions/", "/static/../app.py", "/%ff%fe", "/\u202e"],
)
def test_unknown_addresses_are_told_so(door: Door, path: str) -> None:
    answer = door.get(path)
    assert (answer.status_code, code_of(answer)) == (404, "route_unknown")
