"""The tagged hashes, byte by byte."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import digest

ONE = ("a-kid", b"protected-1", b"\x01" * 64)
TWO = ("b-kid", b"protected-two", b"\x02" * 64)


def test_the_tag_stands_in_front_of_the_data() -> None:
    assert digest.tagged("x", b"data") == sha256(b"dt/v1/x\x00data").digest()
    assert digest.transaction_id(b"{}") == sha256(b"dt/v1/transaction\x00{}").digest()
    assert digest.network_digest(b"{}") == sha256(b"dt/v1/genesis\x00{}").digest()
    assert digest.commitment(b"s" * 16, b"v") == sha256(b"dt/v1/personal\x00ssssssssssssssssv").digest()


def test_the_digests_do_not_change_from_release_to_release() -> None:
    assert digest.transaction_id(b"{}").hex() == "c0a0fca1f4b7a760ac537e8ea2fcc81ccf1c4c0093fafc50f2c7642f1035d1f5"
    assert digest.network_digest(b"{}").hex() == "d320402e24155ade2749e6fb661a5e9c72fa6c9af65654ec2f19d04e84efe30f"
    assert (
        digest.commitment(b"s" * 16, b"v").hex() == "a4a152f0ef40f484564cf6bb2341a8f2a8e81b23df6f868087fcb8847d1cd288"
    )
    assert digest.authorisation([ONE, TWO]).hex() == "96017085a5d1883522e2ee024435de0320fb39406f2e640336519c3fe46a44f1"


def test_an_authorisation_is_written_out_by_ascending_kid() -> None:
    data = b"\0\0\0\x0bprotected-1" + b"\x01" * 64 + b"\0\0\0\x0dprotected-two" + b"\x02" * 64
    assert digest.authorisation([TWO, ONE]) == sha256(b"dt/v1/authorisation\x00" + data).digest()


@given(st.permutations([(f"kid-{number}", b"%d" % number, bytes([number]) * 64) for number in range(5)]))
def test_the_order_of_the_signatures_does_not_matter(signatures: list[tuple[str, bytes, bytes]]) -> None:
    assert digest.authorisation(signatures) == digest.authorisation(sorted(signatures))


def test_a_digest_for_one_purpose_does_not_serve_another() -> None:
    made = {digest.tagged(tag, b"same") for tag in ("transaction", "genesis", "personal", "authorisation")}
    assert len(made) == 4


def test_a_signature_of_another_length_cannot_reach_the_digest() -> None:
    with pytest.raises(AssertionError):
        digest.authorisation([("kid", b"protected", b"short")])
