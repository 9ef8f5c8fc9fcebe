"""The wire format page holds: its vectors, recomputed from the words of the page with other people's libraries."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.wire.vectors import vectors

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs/reference/vectors.json").read_text(encoding="utf-8")
)


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tagged(tag: str, data: bytes) -> str:
    return b64(hashlib.sha256(f"dt/v1/{tag}\0".encode() + data).digest())


def u(number: int, size: int = 8) -> bytes:
    return number.to_bytes(size, "big")


def test_the_page_shows_what_the_code_makes() -> None:
    assert vectors() == VECTORS, "run python -m tests.wire.vectors > docs/reference/vectors.json"


@pytest.mark.parametrize(
    "text",
    [
        VECTORS["genesis"]["document"],
        VECTORS["transaction"]["payload"],
        VECTORS["transaction"]["submission"],
        VECTORS["mandate"]["payload"],
        *(leaf["leaf"] for leaf in VECTORS["leaves"]),
    ],
)
def test_canonical_json_is_that_of_rfc_8785(text: str) -> None:
    assert rfc8785.dumps(json.loads(text)) == text.encode()


def test_the_network_id_is_the_name_and_the_digest_of_the_genesis_document() -> None:
    genesis = VECTORS["genesis"]
    name = json.loads(genesis["document"])["name"]
    assert genesis["network"] == f"{name}:{tagged('genesis', genesis['document'].encode())}"


def test_the_kid_is_the_thumbprint_of_rfc_7638() -> None:
    key = VECTORS["key"]
    private = Ed25519PrivateKey.from_private_bytes(unb64(key["seed"]))
    assert b64(private.public_key().public_bytes_raw()) == key["x"]
    jwk = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": key["x"]}, separators=(",", ":")).encode()
    assert b64(hashlib.sha256(jwk).digest()) == key["kid"]


def test_a_transaction_is_a_jws_over_its_payload() -> None:
    transaction = VECTORS["transaction"]
    envelope = json.loads(transaction["submission"])
    assert unb64(envelope["payload"]) == transaction["payload"].encode()
    (signature,) = envelope["signatures"]
    header = json.loads(unb64(signature["protected"]))
    assert header == {"alg": "Ed25519", "kid": VECTORS["key"]["kid"], "typ": "dt-transaction+json"}
    public = Ed25519PublicKey.from_public_bytes(unb64(VECTORS["key"]["x"]))
    public.verify(unb64(signature["signature"]), f"{signature['protected']}.{envelope['payload']}".encode())


def test_transaction_id_and_authorisation_are_tagged_digests() -> None:
    transaction = VECTORS["transaction"]
    assert transaction["transaction_id"] == tagged("transaction", transaction["payload"].encode())
    (signature,) = json.loads(transaction["submission"])["signatures"]
    protected = signature["protected"].encode()
    assert transaction["authorised_by"] == tagged(
        "authorisation", u(len(protected), 4) + protected + unb64(signature["signature"])
    )


def test_mandates_and_commitments_are_tagged_digests() -> None:
    mandate, commitment = VECTORS["mandate"], VECTORS["commitment"]
    assert mandate["digest"] == tagged("mandate", mandate["payload"].encode())
    assert commitment["commitment"] == tagged("personal", unb64(commitment["salt"]) + commitment["value"].encode())


def test_leaves_are_hashed_after_rfc_6962_and_name_their_transaction() -> None:
    entry, block = VECTORS["leaves"]
    for leaf in (entry, block):
        assert leaf["hash"] == b64(hashlib.sha256(b"\0" + leaf["leaf"].encode()).digest())
    content = json.loads(entry["leaf"])
    assert set(content) == {
        "type", "v", "sequence", "salt", "transaction", "authorised_by", "kind", "line", "postings",
    }  # fmt: skip
    assert content["transaction"] == VECTORS["transaction"]["transaction_id"]
    assert content["authorised_by"] == VECTORS["transaction"]["authorised_by"]
    assert [set(posting) for posting in content["postings"]] == [{"account", "amount", "asset", "side"}] * 2
    assert set(json.loads(block["leaf"])) == {"type", "v", "sequence", "salt", "height", "epoch", "time_us", "rulebook"}


def test_the_block_digest_is_over_all_fields_behind_their_lengths() -> None:
    block = VECTORS["block"]
    data = b"".join(u(block[name]) for name in ("height", "epoch", "time_us", "first_sequence"))
    for part in (
        unb64(block["before"]),
        unb64(block["body"]),
        unb64(block["leaf_hashes"]),
        block["checkpoint"].encode(),
    ):
        data += u(len(part)) + part
    assert block["digest"] == tagged("block", data)


def test_the_checkpoint_is_a_note_signed_by_the_log_under_its_origin() -> None:
    origin, x = VECTORS["log_key"]["origin"], unb64(VECTORS["log_key"]["x"])
    assert origin == f"digital-tenge/{VECTORS['genesis']['network']}"
    body, _, line = VECTORS["block"]["checkpoint"].rpartition("\n\n")
    assert body.splitlines()[0] == origin
    mark, name, signature = line.rstrip("\n").split(" ")
    assert (mark, name) == ("—", origin)
    raw = base64.b64decode(signature)
    assert raw[:4] == hashlib.sha256(origin.encode() + b"\n\x01" + x).digest()[:4]
    Ed25519PublicKey.from_public_bytes(x).verify(raw[4:], body.encode() + b"\n")


def test_the_receipt_leads_from_its_leaf_to_the_root() -> None:
    (proof,) = VECTORS["receipt"]["leaves"]
    head, _, checkpoint = proof["proof"].partition("\n\n")
    title, index, *path = head.split("\n")
    assert (title, index) == ("c2sp.org/tlog-proof@v1", f"index {VECTORS['receipt']['sequence']}")
    assert checkpoint == VECTORS["block"]["checkpoint"]
    _, size, root = checkpoint.split("\n")[:3]
    node = hashlib.sha256(b"\0" + proof["leaf"].encode()).digest()
    assert base64.b64encode(_root(node, VECTORS["receipt"]["sequence"], int(size), path)).decode() == root


def _root(node: bytes, index: int, size: int, path: list[str]) -> bytes:
    """RFC 9162, 2.1.3.2, which states the same tree as RFC 6962."""
    fn, sn = index, size - 1
    for text in path:
        sibling = base64.b64decode(text)
        if fn & 1 or fn == sn:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "the path has its exact length"
    return node
