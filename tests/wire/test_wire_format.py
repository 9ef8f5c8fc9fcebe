"""The wire format page holds: its vectors, recomputed from the words of the page with other people's libraries."""

import ast
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.wire.vectors import vectors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/wire_format.md").read_text(encoding="utf-8")
VECTORS: dict[str, Any] = json.loads((ROOT / "docs/reference/vectors.json").read_text(encoding="utf-8"))


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
        VECTORS["two_signatures"]["submission"],
        VECTORS["bulk"]["submission"],
        VECTORS["record"]["leaf"],
        VECTORS["refusal"]["leaf"],
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


def test_two_signatures_are_digested_by_ascending_kid() -> None:
    transaction = VECTORS["two_signatures"]
    envelope = json.loads(transaction["submission"])
    assert transaction["transaction_id"] == tagged("transaction", unb64(envelope["payload"]))
    assert len(envelope["signatures"]) == 2
    parts = {}
    for signature in envelope["signatures"]:
        protected = signature["protected"].encode()
        kid = json.loads(unb64(signature["protected"]))["kid"]
        parts[kid] = u(len(protected), 4) + protected + unb64(signature["signature"])
    joined = b"".join(part for _, part in sorted(parts.items()))
    assert transaction["authorised_by"] == tagged("authorisation", joined)


def test_a_record_says_what_was_computed_and_a_refusal_why() -> None:
    record, refusal = VECTORS["record"], VECTORS["refusal"]
    for leaf in (record, refusal):
        assert leaf["hash"] == b64(hashlib.sha256(b"\0" + leaf["leaf"].encode()).digest())
    content = json.loads(record["leaf"])
    assert set(content) == {"type", "v", "sequence", "salt", "transaction", "authorised_by", "kind", "content"}
    assert content["transaction"] == VECTORS["two_signatures"]["transaction_id"]
    assert (content["kind"], content["content"]) == ("cap_set", {"from": "2024-12-25"})
    said = json.loads(refusal["leaf"])
    assert set(said) == {"type", "v", "sequence", "salt", "transaction", "authorised_by", "kind", "line", "code"}
    assert (said["type"], said["line"], said["code"]) == ("refusal", 0, "insufficient_funds")


def test_the_leaves_of_a_bulk_follow_from_it_and_lead_to_the_root() -> None:
    bulk, receipt = VECTORS["bulk"], VECTORS["bulk"]["receipt"]
    hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in _bulk_leaves(bulk, receipt)]
    assert len(hashes) == receipt["leaf_count"] == 17
    _, size, root = receipt["bulk"]["checkpoint"].split("\n")[:3]
    proof = [unb64(node) for node in receipt["bulk"]["range_proof"]]
    assert base64.b64encode(_range_root(0, int(size), receipt["sequence"], hashes, proof)).decode() == root
    assert not proof, "the proof has its exact length"


def _bulk_leaves(bulk: dict[str, Any], receipt: dict[str, Any]) -> list[bytes]:
    body = json.loads(unb64(json.loads(bulk["submission"])["payload"]))["body"]
    salts = unb64(receipt["bulk"]["salts"])
    leaves = []
    for number, line in enumerate(body["lines"]):
        leaf = {
            "v": 1,
            "sequence": receipt["sequence"] + number,
            "salt": b64(salts[16 * number : 16 * number + 16]),
            "transaction": bulk["transaction_id"],
            "authorised_by": bulk["authorised_by"],
            "kind": "bulk_transfer",
            "line": number,
        }
        code = receipt["bulk"]["refused_lines"].get(str(number))
        legs = [
            {"account": line[side], "amount": line["amount"], "asset": body["asset"], "side": side}
            for side in ("debit", "credit")
        ]
        leaf |= {"type": "entry", "postings": legs} if code is None else {"type": "refusal", "code": code}
        leaves.append(rfc8785.dumps(leaf))
    return leaves


def _range_root(start: int, end: int, first: int, hashes: list[bytes], proof: list[bytes]) -> bytes:
    """The root over leaves ``start`` to ``end``; perfect subtrees beside the range come from the proof, in order."""
    width = end - start
    if (end <= first or start >= first + len(hashes)) and not width & (width - 1):
        return proof.pop(0)
    if width == 1:
        return hashes[start - first]
    middle = start + (1 << (width - 1).bit_length() - 1)
    left = _range_root(start, middle, first, hashes, proof)
    return hashlib.sha256(b"\x01" + left + _range_root(middle, end, first, hashes, proof)).digest()


def test_the_consistency_proof_leads_to_both_roots() -> None:
    """RFC 9162, 2.1.4.2."""
    consistency = VECTORS["consistency"]
    path = [unb64(node) for node in consistency["proof"]]
    fn, sn = consistency["first"] - 1, consistency["second"] - 1
    assert fn & consistency["first"], "the first size is no power of two, else its root stands for the first hash"
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for node in path[1:]:
        if fn & 1 or fn == sn:
            first = hashlib.sha256(b"\x01" + node + first).digest()
            second = hashlib.sha256(b"\x01" + node + second).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = hashlib.sha256(b"\x01" + second + node).digest()
        fn, sn = fn >> 1, sn >> 1
    assert (b64(first), b64(second), sn) == (consistency["first_root"], consistency["second_root"], 0)


def test_the_block_body_is_the_message_pack_of_the_page() -> None:
    salts = b"".join(unb64(json.loads(leaf["leaf"])["salt"]) for leaf in VECTORS["leaves"])
    outcome = _pack(["", 0, [], None, None])
    submission = VECTORS["transaction"]["submission"].encode()
    body = {"submissions": [submission], "outcomes": [outcome], "salts": salts}
    assert unb64(VECTORS["block"]["body"]) == _pack(body)


def _pack(value: Any) -> bytes:
    """MessagePack in its shortest forms, as far as a small block needs it."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bytes):
        return (b"\xc4" + u(len(value), 1) if len(value) < 256 else b"\xc5" + u(len(value), 2)) + value
    if isinstance(value, str):
        return bytes([0xA0 | len(value)]) + value.encode()
    if isinstance(value, int):
        return bytes([value])
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(_pack, value))
    return bytes([0x80 | len(value)]) + b"".join(_pack(key) + _pack(each) for key, each in value.items())


def test_the_tree_before_a_block_is_its_size_and_a_root_for_each_bit() -> None:
    before = unb64(VECTORS["block"]["before"])
    assert before[:8] == u(VECTORS["block"]["first_sequence"])
    assert len(before) == 8 + 32 * VECTORS["block"]["first_sequence"].bit_count()


def test_the_page_names_every_member_of_a_record() -> None:
    named = _record_keys()
    assert {"from", "trial_balance", "trial_balance_digest", "unlicensed"} <= named, "the search finds them"
    records = PAGE.partition("### Records")[2].partition("\n## ")[0]
    assert sorted(key for key in named if f"`{key}`" not in records) == []


def _record_keys() -> set[str]:
    """Every text key in a ``record=`` of the rules, and in what a function returns that such a record takes in."""
    found = set()
    for path in [*(ROOT / "ledger/rules").glob("*.py"), *(ROOT / "settlement/rules").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        pending: list[ast.AST] = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "record"
        ]
        while pending:
            for node in ast.walk(pending.pop()):
                if isinstance(node, ast.Dict):
                    found |= {key.value for key in node.keys if isinstance(key, ast.Constant)}
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_on_record":
                    pending += [each for each in ast.walk(functions["_on_record"]) if isinstance(each, ast.Return)]
    return {key for key in found if isinstance(key, str)}


def test_the_page_names_every_tag() -> None:
    tags = set()
    for path in [path for area in ("ledger", "settlement", "wallet_api") for path in (ROOT / area).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "tagged":
                tags.add(ast.literal_eval(node.args[0]))
            if isinstance(node, ast.Constant) and isinstance(node.value, bytes | str):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                tags |= {text[6:].partition("\0")[0]} if text.startswith("dt/v1/") and "\0" in text else set()
    assert {"transaction", "block", "reference", "state", "quota-inputs"} <= tags, "the search finds them"
    assert sorted(tag for tag in tags - {"%b"} if f"`{tag}`" not in PAGE and f"dt/v1/{tag}`" not in PAGE) == []
