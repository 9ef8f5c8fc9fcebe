"""Makes ``docs/reference/vectors.json``: ``python -m tests.wire.vectors > docs/reference/vectors.json``.

Everything is deterministic: keys from seeds, salts from counters, Ed25519 by itself.
"""

import json
import sys
from typing import Any

from ledger.crypto import canonical, digest, jws
from ledger.crypto.canonical import b64url
from ledger.crypto.merkle import CompactRange, leaf_hash
from ledger.genesis import network_id
from ledger.log.group import Position, decide_group, make_leaves, origin_of, seal
from ledger.log.receipt_maker import ReceiptMaker
from ledger.model.assets import TENGE
from ledger.model.transactions import Mandate
from ledger.rules.transfers import Transfer
from ledger.units import TimestampUs
from tests.book import genesis_document, key_of, own_account, pilot_book, reference_at, wallet


def vectors() -> dict[str, Any]:
    """One worked example of each format."""
    book = pilot_book()
    key = key_of("bank-a-1")
    body = Transfer(debit=own_account("601"), credit=wallet("602", 1), asset=TENGE, amount=125_000)
    transaction = book.transaction("transfer", body, by="bank-a", reference=reference_at(book.time_us, 1_000))
    payload = canonical.encode(transaction)
    envelope = jws.sign(payload, [key], typ=jws.TYP_TRANSACTION)
    signed = book.open(jws.serialize(envelope))
    position = Position(8, TimestampUs(book.time_us), CompactRange().append_many([bytes(32)] * 5), bytes(32))
    group = decide_group(book.rulebook, book.state, position, [signed], TimestampUs(book.time_us + 1))
    salts = bytes(range(32))
    leaves = make_leaves(group, salts, 1)
    sealed = seal(group, position, epoch=1, salts=salts, origin=origin_of(book.network), log_key=key_of("log"))
    receipt = ReceiptMaker.of_sealed(book.network, sealed).of_recorded(group.recorded[0], salts)
    mandate = Mandate(
        network=book.network,
        account=wallet("601", 1),
        purpose="dvp",
        asset=TENGE,
        maximum=1_000,
        expires=TimestampUs(book.time_us),
        nonce=b64url(bytes(16)),
    )
    return {
        "genesis": {"document": genesis_document().decode(), "network": network_id(genesis_document())},
        "key": {"seed": b64url(b"bank-a-1".ljust(32, b".")), "x": key.public.x, "kid": key.public.kid},
        "transaction": {
            "payload": payload.decode(),
            "submission": jws.serialize(envelope).decode(),
            "transaction_id": b64url(signed.transaction_id),
            "authorised_by": b64url(signed.authorised_by),
        },
        "mandate": {
            "payload": canonical.encode(mandate).decode(),
            "digest": b64url(digest.tagged("mandate", canonical.encode(mandate))),
        },
        "commitment": {
            "salt": b64url(bytes(16)),
            "value": "қызмет ақысы",
            "commitment": b64url(digest.commitment(bytes(16), "қызмет ақысы".encode())),
        },
        "leaves": [{"leaf": leaf.decode(), "hash": b64url(leaf_hash(leaf))} for leaf in leaves],
        "block": {
            "height": sealed.block.height,
            "epoch": sealed.block.epoch,
            "time_us": sealed.block.time_us,
            "first_sequence": sealed.block.first_sequence,
            "before": b64url(sealed.block.before),
            "body": b64url(sealed.block.body),
            "leaf_hashes": b64url(sealed.block.leaf_hashes),
            "checkpoint": sealed.block.checkpoint,
            "digest": b64url(sealed.block.digest()),
        },
        "log_key": {"x": key_of("log").public.x, "origin": origin_of(book.network)},
        "receipt": json.loads(canonical.encode(receipt)),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(vectors(), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
