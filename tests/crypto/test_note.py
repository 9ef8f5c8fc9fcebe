"""Signed notes, checkpoints and proofs: the published examples, and one spelling for each."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import note
from ledger.crypto.keys import PrivateKey, PublicKey
from ledger.crypto.merkle import CompactRange, inclusion_proof_in_block, leaf_hash, verify_inclusion
from ledger.crypto.note import (
    Checkpoint,
    InvalidNote,
    TlogProof,
    format_proof,
    parse_checkpoint,
    parse_proof,
    sign_checkpoint,
    verify_checkpoint,
)

KEY = PrivateKey.from_seed(bytes(32))
OTHER = PrivateKey.from_seed(b"\x01" * 32)
ORIGIN = "ledger.example/sandbox:abc"
CHECKPOINT = Checkpoint(ORIGIN, 3, b"\x07" * 32)
SIGNED = sign_checkpoint(CHECKPOINT, KEY)
ROOT = base64.b64encode(CHECKPOINT.root).decode()
LINE = SIGNED.splitlines()[-1]

SPEC_CHECKPOINT = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""  # noqa: E501

origins = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+\x7f\u0085"), min_size=1)
hashes = st.binary(min_size=32, max_size=32)
checkpoints = st.builds(Checkpoint, origins, st.integers(0, 2**53 - 1), hashes)


def witness_line(name: str = "witness.example", size: int = 72) -> str:
    return f"— {name} {base64.b64encode(bytes(size)).decode()}\n"


# --- signed notes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    ],
)
def test_the_verifier_keys_of_go_are_written_alike(text: str) -> None:
    name, _, encoded = text.split("+", maxsplit=2)
    key = PublicKey.from_raw(base64.b64decode(encoded)[1:])
    assert note.verifier_key(name, key) == text


def test_the_signature_of_gos_example_note() -> None:
    key = PublicKey.from_raw(base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:])
    signed = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    text = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    assert signed[:4] == note.key_id("PeterNeumann", key)
    key.verify(signed[4:], text)


def test_the_checkpoint_of_the_specification_is_read() -> None:
    checkpoint, signatures = parse_checkpoint(SPEC_CHECKPOINT)
    root = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert checkpoint == Checkpoint("example.com/behind-the-sofa", 20852163, root)
    assert SPEC_CHECKPOINT.startswith(checkpoint.body() + "\n")
    (signature,) = signatures
    assert signature.name == "example.com/behind-the-sofa"
    assert signature.key_id == bytes.fromhex("033de0ae")
    assert len(signature.signature) == 64


@given(checkpoints)
def test_a_signed_checkpoint_is_verified_and_read_back(checkpoint: Checkpoint) -> None:
    text = sign_checkpoint(checkpoint, KEY)
    assert verify_checkpoint(text, origin=checkpoint.origin, key=KEY.public) == checkpoint


def test_the_exact_text_of_a_checkpoint() -> None:
    signed = note.key_id(ORIGIN, KEY.public) + KEY.sign(f"{ORIGIN}\n3\n{ROOT}\n".encode())
    assert f"{ORIGIN}\n3\n{ROOT}\n\n— {ORIGIN} {base64.b64encode(signed).decode()}\n" == SIGNED


def test_signatures_by_other_keys_are_passed_over() -> None:
    same_name = sign_checkpoint(CHECKPOINT, OTHER).splitlines()[-1] + "\n"
    same_id = f"— another.example {LINE.split(' ')[2]}\n"
    head, ours = SIGNED.split("\n\n")
    text = f"{head}\n\n{witness_line()}{same_name}{same_id}{ours}{witness_line('свидетель', 5000)}"
    assert verify_checkpoint(text, origin=ORIGIN, key=KEY.public) == CHECKPOINT
    assert verify_checkpoint(text, origin=ORIGIN, key=OTHER.public) == CHECKPOINT


def test_a_checkpoint_without_our_key_is_refused() -> None:
    for text in (sign_checkpoint(CHECKPOINT, OTHER), SIGNED.replace(LINE, witness_line().strip())):
        with pytest.raises(InvalidNote, match="expected a signature by key"):
            verify_checkpoint(text, origin=ORIGIN, key=KEY.public)


def test_a_checkpoint_of_another_origin_is_refused() -> None:
    with pytest.raises(InvalidNote, match=r"a checkpoint of elsewhere\.example, got one of 'ledger\.example"):
        verify_checkpoint(SIGNED, origin="elsewhere.example", key=KEY.public)


def test_a_false_signature_in_our_name_is_refused_even_beside_a_good_one() -> None:
    false = f"— {ORIGIN} {base64.b64encode(note.key_id(ORIGIN, KEY.public) + bytes(64)).decode()}\n"
    short = f"— {ORIGIN} {base64.b64encode(note.key_id(ORIGIN, KEY.public) + b'x').decode()}\n"
    for text in (SIGNED + false, SIGNED + short, SIGNED.replace("\n3\n", "\n4\n")):
        with pytest.raises(InvalidNote, match="got a false signature"):
            verify_checkpoint(text, origin=ORIGIN, key=KEY.public)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty line"),
        ("\n", "an empty line"),
        (SIGNED[:-1], "a newline at its end"),
        (SIGNED + "\n", "signature lines"),
        (SIGNED.replace("\n\n", "\n"), "an empty line"),
        (CHECKPOINT.body(), "an empty line"),
        (CHECKPOINT.body() + "\n", "signature lines, got 0"),
        (CHECKPOINT.body() + "\n\n", "signature lines"),
        (SIGNED.replace("\n", "\r\n"), "control characters"),
        (SIGNED.replace("\n3\n", "\n3\t\n"), "control characters"),
        (SIGNED + "\0", "control characters"),
        (SIGNED.replace("\n3\n", "\n03\n"), "decimal"),
        (SIGNED.replace("\n3\n", "\n+3\n"), "decimal"),
        (SIGNED.replace("\n3\n", "\n-3\n"), "decimal"),
        (SIGNED.replace("\n3\n", "\n3 \n"), "decimal"),
        (SIGNED.replace("\n3\n", "\n\n"), "decimal"),
        (SIGNED.replace("\n3\n", "\n٣\n"), "decimal"),
        (SIGNED.replace("\n3\n", "\n9007199254740992\n"), "decimal"),
        (SIGNED.replace("\n3\n", "\n" + "9" * 10_000 + "\n"), "decimal"),
        (SIGNED.replace(ROOT, ROOT[:-1]), "base64"),
        (SIGNED.replace(ROOT, ROOT + "="), "base64"),
        (SIGNED.replace(ROOT, ROOT[:-2] + "d="), "one spelling"),
        (SIGNED.replace(ROOT, ""), "not empty"),
        (SIGNED.replace(f"\n{ROOT}", ""), "got 2 lines"),
        (SIGNED.replace(ROOT, "AA=="), "base64 of 32 bytes, got 1"),
        (SIGNED.replace(ROOT, "é"), "base64"),
        (SIGNED.replace(ROOT, ROOT + "\nextension"), "got 4 lines"),
        (SIGNED.replace(f"{ORIGIN}\n3", "\n3"), "a key name"),
        (SIGNED.replace(f"{ORIGIN}\n3", "go.sum database tree\n3"), "a key name"),
        (SIGNED.replace(f"{ORIGIN}\n3", "a+b\n3"), "a key name"),
        (SIGNED.replace(f"{ORIGIN}\n3", "a\u00a0b\n3"), "a key name"),
        (SIGNED.replace("— ", "- "), "an em dash"),
        (SIGNED.replace("— ", "—"), "an em dash"),
        (SIGNED.replace("— ", ""), "an em dash"),
        (SIGNED + "— name\n", "an em dash"),
        (SIGNED + "— name \n", "base64"),
        (SIGNED + "—  AAAAAAA=\n", "a key name"),
        (SIGNED + "— na me AAAAAAA=\n", "a key name"),
        (SIGNED + "— name AAAAAA==\n", "more than 4 bytes"),
        (SIGNED + "— name AAAAAAA\n", "base64"),
        (SIGNED + "— name AAAAAAA= \n", "a key name"),
        (SIGNED + witness_line() * note.NOTE_SIGNATURES_MAX, "1 to 64 signature lines, got 65"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_signed_checkpoint_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidNote, match=message):
        parse_checkpoint(text)


def test_a_note_carries_many_signatures() -> None:
    text = SIGNED + witness_line() * (note.NOTE_SIGNATURES_MAX - 1)
    assert len(parse_checkpoint(text)[1]) == note.NOTE_SIGNATURES_MAX


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x01b"])
def test_a_name_that_a_key_cannot_have_is_not_signed_with(name: str) -> None:
    with pytest.raises(InvalidNote, match="a key name"):
        sign_checkpoint(replace(CHECKPOINT, origin=name), KEY)
    with pytest.raises(InvalidNote, match="a key name"):
        note.verifier_key(name, KEY.public)


# --- proofs ----------------------------------------------------------------------------------------


@given(
    st.builds(
        TlogProof,
        st.integers(0, 2**53 - 1),
        st.lists(hashes, max_size=note.PATH_HASHES_MAX).map(tuple),
        st.just(SIGNED),
        st.none() | st.binary(min_size=1),
    )
)
def test_a_proof_is_read_back(proof: TlogProof) -> None:
    assert parse_proof(format_proof(proof)) == proof


def test_the_exact_text_of_a_proof() -> None:
    proof = TlogProof(1, (b"\x01" * 32, b"\x02" * 32), SIGNED)
    lines = [base64.b64encode(each).decode() for each in proof.path]
    assert format_proof(proof) == f"c2sp.org/tlog-proof@v1\nindex 1\n{lines[0]}\n{lines[1]}\n\n{SIGNED}"
    extra = format_proof(replace(proof, extra=b"\x00"))
    assert extra.startswith("c2sp.org/tlog-proof@v1\nextra AA==\nindex 1\n")


def test_a_proof_is_checked_with_the_leaf_and_the_key_alone() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(5)]
    root = CompactRange().append_many(leaves).root()
    path = inclusion_proof_in_block(CompactRange(), leaves, 3)
    text = format_proof(TlogProof(3, path, sign_checkpoint(Checkpoint(ORIGIN, 5, root), KEY)))

    proof = parse_proof(text)
    checkpoint = verify_checkpoint(proof.checkpoint_text, origin=ORIGIN, key=KEY.public)
    verify_inclusion(leaf_hash(b"3"), proof.index, checkpoint.size, proof.path, checkpoint.root)


PROOF = format_proof(TlogProof(1, (b"\x01" * 32,), SIGNED))
PATH = base64.b64encode(b"\x01" * 32).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line"),
        (PROOF.replace("@v1", "@v2"), "first line"),
        ("\n" + PROOF, "first line"),
        (PROOF.replace("\nindex", "\r\nindex"), "first line"),
        (PROOF.replace("index 1\n", ""), "a line with the index"),
        (PROOF.replace("index", "Index"), "a line with the index"),
        (f"c2sp.org/tlog-proof@v1\n\n{SIGNED}", "a line with the index"),
        (f"c2sp.org/tlog-proof@v1\nextra AA==\n\n{SIGNED}", "a line with the index"),
        (PROOF.replace("index 1", "index 01"), "decimal"),
        (PROOF.replace("index 1", "index  1"), "decimal"),
        (PROOF.replace("index 1", "index "), "decimal"),
        (PROOF.replace("index 1", "index 1\nextra AA=="), "base64"),
        (PROOF.replace("index 1", "extra AA==\nextra AA==\nindex 1"), "a line with the index"),
        (PROOF.replace("index 1", "extra \nindex 1"), "base64"),
        (PROOF.replace("index 1", "extra AB==\nindex 1"), "one spelling"),
        (PROOF.replace("index 1", "comment\nindex 1"), "a line with the index"),
        (PROOF.replace("index 1", "index 1\nindex 1"), "base64"),
        (PROOF.replace(PATH, "AA=="), "base64 of 32 bytes, got 1"),
        (PROOF.replace(PATH, PATH + " "), "base64"),
        (PROOF.replace(PATH, f"{PATH}\n" * 64 + PATH), "at most 64 hashes, got 65"),
        (PROOF.replace(PATH, PATH + "\n"), "lines"),
        (PROOF + "\n", "signature lines"),
        (PROOF.removesuffix(SIGNED), "an empty line"),
        (PROOF.replace("\n3\n", "\n03\n"), "decimal"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_proof_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidNote, match=message):
        parse_proof(text)
