"""What a client trusts, and how it proves an answer with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ledger.crypto import canonical
from ledger.crypto.keys import PublicKey
from ledger.genesis import network_id, read_genesis
from ledger.log.group import origin_of
from ledger.log.receipts import InvalidReceipt, Receipt, authored, verify_receipt
from ledger.model.journal import EntryLeaf, Leaf
from ledger.model.transactions import Transaction
from ledger.rules.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """The log a client believes in: learned once, from a source other than the node."""

    network: str
    keys: tuple[PublicKey, ...]
    """Public keys that sign checkpoints: the one of genesis, and those it was rotated to."""

    @classmethod
    def from_genesis(cls, document: bytes) -> Self:
        """Trust what a genesis document says.

        Raises:
            InvalidGenesis: it does not hold.
        """
        return cls(network_id(document), (PublicKey.from_x(read_genesis(document).log_key),))

    @property
    def origin(self) -> str:
        """The log's origin, which is its key's name too."""
        return origin_of(self.network)


def prove(receipt: Receipt, submission: bytes | None, trusted: TrustedLog, rulebook: Rulebook) -> tuple[bytes, ...]:
    """Return the leaves a receipt proves: in the trusted log, and in answer to the submission if one is given.

    A payload that was decided before keeps the signatures of the first time in its leaves. If others signed it now,
    the receipt is checked against the payload alone, which is what was asked; a bulk must be signed the same.

    Raises:
        InvalidReceipt: it does not prove what it says, or answers something else.
    """
    if submission is None:
        return _proven(receipt, None, trusted, rulebook)
    try:
        transaction, author = authored(submission, rulebook)
    except ValueError as error:
        raise InvalidReceipt(f"the submission cannot be read: {error}") from error
    for member, expected, got in (
        ("transaction_id", author.transaction, receipt.transaction_id),
        ("participant", transaction.participant, receipt.participant),
        ("reference", transaction.reference, receipt.reference),
        ("kind", transaction.kind, receipt.kind),
    ):
        if got != expected:
            raise InvalidReceipt(f"{member}: expected {expected}, got {got}")
    try:
        return _proven(receipt, submission, trusted, rulebook)
    except InvalidReceipt:
        if receipt.bulk is not None:
            raise
        made = _proven(receipt, None, trusted, rulebook)
        _check_postings(made, transaction, rulebook)
        return made


def checkpoint_of(receipt: Receipt) -> str:
    """Return the signed checkpoint that a receipt is proven under.

    Raises:
        InvalidReceipt: it has none.
    """
    if receipt.bulk is not None:
        return receipt.bulk.checkpoint
    if not receipt.leaves:
        raise InvalidReceipt("expected a leaf or the proof of a bulk, got neither")
    _, _, checkpoint = receipt.leaves[0].proof.partition("\n\n")
    return checkpoint


def _check_postings(made: Sequence[bytes], transaction: Transaction[object], rulebook: Rulebook) -> None:
    """Compare what was posted with what was asked, for kinds whose postings follow from the body alone."""
    entries = rulebook.kinds[transaction.kind].entries
    if entries is None:
        return
    wanted = entries(transaction.body)
    for leaf in (canonical.decode(data, Leaf) for data in made):
        if isinstance(leaf, EntryLeaf) and leaf.postings != wanted[leaf.line].postings:
            raise InvalidReceipt(f"leaf {leaf.sequence} does not post what was signed")


def _proven(receipt: Receipt, submission: bytes | None, trusted: TrustedLog, rulebook: Rulebook) -> tuple[bytes, ...]:
    """Try each key of the log: rotation does not take old receipts' proof away."""
    failure = InvalidReceipt("no key of the log is known")
    for key in trusted.keys:
        try:
            leaves, _ = verify_receipt(
                receipt, origin=trusted.origin, log_key=key, submission=submission, rulebook=rulebook
            )
        except InvalidReceipt as error:
            failure = error
        else:
            return leaves
    raise failure
