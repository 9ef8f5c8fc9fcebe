"""A log whose operator signs what it likes: a leaf that does not post what was signed is no answer to it."""

import msgspec
import pytest

from ledger.crypto import canonical, digest, jws
from ledger.crypto.canonical import b64url
from ledger.crypto.keys import PrivateKey
from ledger.crypto.merkle import BlockProver, CompactRange, leaf_hash
from ledger.crypto.note import Checkpoint, TlogProof, format_proof, sign_checkpoint
from ledger.log.group import origin_of
from ledger.log.receipts import BlockProof, InvalidReceipt, LeafProof, Receipt
from ledger.model.journal import BlockLeaf, EntryLeaf, Posting, Side
from ledger.units import AccountId, AssetId, ParticipantId, TimestampUs
from settlement.rules import RULEBOOK
from tests.client.town import OWN_A, OWN_B, WALLET_A
from wallet_api.client import TrustedLog, new_reference, prepare, sign
from wallet_api.client.proof import prove

LOG = PrivateKey.from_seed(b"evil".ljust(32))
ONE = PrivateKey.from_seed(b"signatory one".ljust(32))
OTHER = PrivateKey.from_seed(b"signatory two".ljust(32))
NETWORK = "town:" + "A" * 43
TRUSTED = TrustedLog(NETWORK, (LOG.public,))
REFERENCE = new_reference(TimestampUs(1_735_000_000_000_000))
PAYLOAD = prepare(
    "transfer",
    {"debit": OWN_A, "credit": OWN_B, "asset": "KZT", "amount": 5},
    network=NETWORK,
    participant="bank-a",
    reference=REFERENCE,
)
SALT = b64url(bytes(16))


def _posting(account: AccountId, side: Side) -> Posting:
    return Posting(account=account, asset=AssetId("KZT"), amount=5, side=side)


def _receipt(credit: AccountId, signer: PrivateKey) -> Receipt:
    """What this operator answers: the leaf of its choice, in a log of two leaves that it signed."""
    transaction_id = b64url(digest.transaction_id(PAYLOAD))
    envelope = jws.parse(sign(PAYLOAD, [signer]), typ=jws.TYP_TRANSACTION)
    author = digest.authorisation((each.kid, each.protected, each.signature) for each in envelope.signatures)
    entry = EntryLeaf(
        v=1,
        sequence=0,
        salt=SALT,
        transaction=transaction_id,
        authorised_by=b64url(author),
        kind="transfer",
        line=0,
        postings=(_posting(OWN_A, Side.DEBIT), _posting(credit, Side.CREDIT)),
    )
    block = BlockLeaf(v=1, sequence=1, salt=SALT, height=1, epoch=1, time_us=TimestampUs(7), rulebook=1)
    made = [canonical.encode(entry), canonical.encode(block)]
    prover = BlockProver(CompactRange(), [leaf_hash(leaf) for leaf in made])
    checkpoint = sign_checkpoint(Checkpoint(origin_of(NETWORK), 2, prover.after.root()), LOG)
    return Receipt(
        network=NETWORK,
        participant=ParticipantId("bank-a"),
        reference=REFERENCE,
        transaction_id=transaction_id,
        kind="transfer",
        outcome="accepted",
        height=1,
        time_us=TimestampUs(7),
        sequence=0,
        leaf_count=1,
        leaves=(LeafProof(leaf=made[0].decode(), proof=format_proof(TlogProof(0, prover.path(0), checkpoint))),),
        block=BlockProof(leaf=made[1].decode(), path=tuple(map(b64url, prover.path(1)))),
    )


def test_the_payment_that_was_signed_is_proven() -> None:
    (leaf,) = prove(_receipt(OWN_B, ONE), sign(PAYLOAD, [ONE]), TRUSTED, RULEBOOK)
    assert b'"type":"entry"' in leaf


def test_a_payment_that_others_had_signed_before_is_proven_by_its_payload() -> None:
    assert prove(_receipt(OWN_B, OTHER), sign(PAYLOAD, [ONE]), TRUSTED, RULEBOOK)


@pytest.mark.parametrize("signer", [ONE, OTHER])
def test_another_payment_under_the_same_transaction_id_is_not(signer: PrivateKey) -> None:
    with pytest.raises(InvalidReceipt, match="not post what was signed"):
        prove(_receipt(WALLET_A, signer), sign(PAYLOAD, [ONE]), TRUSTED, RULEBOOK)


def test_a_submission_that_cannot_be_read_is_answered_by_nothing() -> None:
    unknown = prepare("wish", {}, network=NETWORK, participant="bank-a", reference=REFERENCE)
    for submission in (b"{}", sign(unknown, [ONE])):
        with pytest.raises(InvalidReceipt, match="cannot be read"):
            prove(_receipt(OWN_B, ONE), submission, TRUSTED, RULEBOOK)


def test_a_receipt_survives_its_journey_as_json() -> None:
    receipt = _receipt(OWN_B, ONE)
    assert msgspec.json.decode(msgspec.json.encode(receipt), type=Receipt) == receipt
