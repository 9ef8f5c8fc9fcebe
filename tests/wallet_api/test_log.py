"""The log in public: anyone may hold it to its word."""

from typing import Any

import pytest

from ledger.crypto.canonical import b64url_decode
from ledger.crypto.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.crypto.note import Checkpoint, verify_checkpoint
from ledger.genesis import network_id
from ledger.log.group import origin_of
from tests.book import key_of
from tests.wallet_api.door import Door, code_of


def checkpoint_of(door: Door, text: str) -> Checkpoint:
    return verify_checkpoint(text, origin=origin_of(door.network), key=key_of("log").public)


def decoded(path: list[str]) -> list[bytes]:
    return [b64url_decode(node) for node in path]


def test_the_checkpoint_is_a_signed_note(door: Door) -> None:
    answer = door.client.get("/v1/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint_of(door, answer.text).size == door.size


def test_the_genesis_document_is_served_byte_for_byte(door: Door) -> None:
    answer = door.client.get("/v1/log/genesis")
    assert network_id(answer.content) == door.network
    assert "immutable" in answer.headers["cache-control"]


def test_a_leaf_is_proven_under_the_newest_checkpoint(door: Door) -> None:
    receipt = door.post(door.transfer()).json()
    answer = door.client.get("/v1/log/inclusion", params={"sequence": receipt["sequence"]}).json()
    checkpoint = checkpoint_of(door, answer["checkpoint"])
    hashed = leaf_hash(receipt["leaves"][0]["leaf"].encode())
    assert b64url_decode(answer["leaf_hash"]) == hashed
    assert answer["size"] == checkpoint.size
    verify_inclusion(hashed, receipt["sequence"], checkpoint.size, decoded(answer["path"]), checkpoint.root)


def test_a_leaf_is_proven_in_a_smaller_tree(door: Door) -> None:
    answer = door.client.get("/v1/log/inclusion", params={"sequence": 0, "size": 1}).json()
    assert answer["path"] == []
    assert "checkpoint" not in answer


def test_the_log_only_grew(door: Door) -> None:
    earlier = checkpoint_of(door, door.client.get("/v1/log/checkpoint").text)
    door.post(door.transfer())
    later = checkpoint_of(door, door.client.get("/v1/log/checkpoint").text)
    answer = door.client.get("/v1/log/consistency", params={"from": earlier.size, "to": later.size}).json()
    assert (answer["from_size"], answer["to_size"]) == (earlier.size, later.size)
    verify_consistency(earlier.size, later.size, earlier.root, later.root, decoded(answer["path"]))
    newest = door.client.get("/v1/log/consistency", params={"from": earlier.size}).json()
    assert checkpoint_of(door, newest["checkpoint"]).size == newest["to_size"]


def test_nothing_needs_proof_from_the_empty_log_or_to_itself(door: Door) -> None:
    assert door.client.get("/v1/log/consistency", params={"from": 0, "to": 0}).json()["path"] == []
    assert door.client.get("/v1/log/consistency", params={"from": 0}).json()["path"] == []
    assert door.client.get("/v1/log/consistency", params={"from": 5, "to": 5}).json()["path"] == []


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/v1/log/inclusion", {}, "request_invalid"),
        ("/v1/log/inclusion", {"sequence": 0, "size": 0}, "leaf_unknown"),
        ("/v1/log/inclusion", {"sequence": 5, "size": 5}, "leaf_unknown"),
        ("/v1/log/inclusion", {"sequence": 10**9}, "leaf_unknown"),
        ("/v1/log/inclusion", {"sequence": 0, "size": 10**9}, "leaf_unknown"),
        ("/v1/log/inclusion", {"sequence": "-1"}, "request_invalid"),
        ("/v1/log/consistency", {}, "request_invalid"),
        ("/v1/log/consistency", {"from": 3, "to": 2}, "request_invalid"),
        ("/v1/log/consistency", {"from": 3, "to": 10**9}, "leaf_unknown"),
        ("/v1/log/consistency", {"from": 10**9}, "request_invalid"),
        ("/v1/log/checkpoint", {"size": 3}, "request_invalid"),
    ],
)
def test_a_proof_that_cannot_be_is_not_asked_for(door: Door, path: str, params: dict[str, Any], code: str) -> None:
    assert code_of(door.client.get(path, params=params)) == code
