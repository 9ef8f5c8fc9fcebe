"""Makes ``docs/reference/vectors.json``: ``python -m tests.wire.vectors > docs/reference/vectors.json``.

Everything is deterministic: keys from seeds, salts from counters, Ed25519 by itself.
"""

import json
import sys
from typing import Any

from ledger.crypto import canonical, digest, jws
from ledger.crypto.canonical import b64url
from ledger.crypto.merkle import CompactRange, consistency_proof, leaf_hash
from ledger.genesis import network_id
from ledger.log.group import Position, Sealed, after, decide_group, make_leaves, origin_of, seal
from ledger.log.receipt_maker import ReceiptMaker
from ledger.model.assets import TENGE
from ledger.model.transactions import Mandate, SignedTransaction
from ledger.rules.bulk import BulkTransfer, Line
from ledger.rules.issuance import CapSet
from ledger.rules.transfers import Transfer
from ledger.units import TimestampUs
from tests.book import Book, genesis_document, key_of, own_account, pilot_book, reference_at, wallet


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
    book.state.advance(group.overlay, group.time_us)
    return {
        **_second_block(book, sealed),
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
        "leaves": [_leaf(leaf) for leaf in leaves],
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


def _second_block(book: Book, first: Sealed) -> dict[str, Any]:
    """The next block: a cap set by two, a payment refused, a bulk of which one line is refused."""
    pay = Transfer(debit=own_account("602"), credit=wallet("602", 1), asset=TENGE, amount=1)
    lines = tuple(
        Line(debit=own_account("601"), credit=wallet("609" if n == 3 else "602", 1), amount=n + 1, label=f"line-{n}")
        for n in range(17)
    )
    bulk = BulkTransfer(asset=TENGE, is_atomic=False, lines=lines)
    asked = [
        book.open(book.signed(kind, body, by=by, reference=reference_at(book.time_us, 1_001 + number)))
        for number, (kind, body, by) in enumerate(
            (
                ("cap_set", CapSet(per_day=500_000_000), "central-bank"),
                ("transfer", pay, "bank-b"),
                ("bulk_transfer", bulk, "bank-a"),
            )
        )
    ]
    position = after(first.block, first.prover.after)
    group = decide_group(book.rulebook, book.state, position, asked, TimestampUs(first.block.time_us + 1))
    salts = (bytes(range(256)) * 2)[: 16 * group.leaf_count]
    sealed = seal(group, position, epoch=1, salts=salts, origin=origin_of(book.network), log_key=key_of("log"))
    cap, refused, paid = group.recorded
    size = sealed.block.size
    return {
        "two_signatures": _submitted(asked[0]),
        "record": _leaf(cap.leaves[0]),
        "refusal": _leaf(refused.leaves[0]),
        "bulk": {
            **_submitted(asked[2]),
            "receipt": json.loads(
                canonical.encode(ReceiptMaker.of_sealed(book.network, sealed).of_recorded(paid, salts))
            ),
        },
        "consistency": {
            "first": position.range.size,
            "first_root": b64url(position.range.root()),
            "second": size,
            "second_root": b64url(sealed.prover.after.root()),
            "proof": [b64url(node) for node in consistency_proof(sealed.prover, position.range.size, size)],
        },
    }


def _submitted(signed: SignedTransaction) -> dict[str, str]:
    return {
        "submission": signed.submission.decode(),
        "transaction_id": b64url(signed.transaction_id),
        "authorised_by": b64url(signed.authorised_by),
    }


def _leaf(leaf: bytes) -> dict[str, str]:
    return {"leaf": leaf.decode(), "hash": b64url(leaf_hash(leaf))}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(vectors(), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
