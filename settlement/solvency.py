"""Proof of liabilities: a Merkle sum tree over what an exchange owes its clients of one asset on one date. Pure.

A node binds the digest and the sum of both children. Where it binds only the sum of the two, an exchange can show each
client a total that leaves others out (ePrint 2018/1139). No sum is negative and none passes 2^53 - 1. A leaf binds
exchange, asset, date, the client's own name and a salt, so that a leaf serves one client in one tree. Leaves stand in
the order of their digests, which the salts make random; what fills the tree up to a power of two owes nothing.

What a proof shows: this client is in the total with this balance. What it cannot show: that the others are. And the
neighbour of a leaf is seen as a balance without a name. The bytes are in ``docs/reference/wire_format.md``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.crypto import canonical, digest
from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.merkle import InvalidProof
from ledger.units import BALANCE_MAX, LABEL_PATTERN, AssetId, BusinessDate, ParticipantId
from settlement.model.liabilities import LEAVES_MAX, InclusionProof, Published, Sibling

SALT_BYTES: Final = 16
"""Random bytes of a salt."""

DIGEST_BYTES: Final = digest.DIGEST_BYTES
"""Bytes of a node's digest."""


_NAME: Final = re.compile(LABEL_PATTERN)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a tree is about; each of its leaves and its root bind it."""

    exchange: ParticipantId
    asset: AssetId
    date: BusinessDate

    def digest(self) -> bytes:
        """Return the digest that stands for the scope: the three texts, each behind its length."""
        texts = [text.encode("ascii") for text in (self.exchange, self.asset, self.date)]
        return digest.tagged("liability-scope", b"".join(len(text).to_bytes(4) + text for text in texts))


@dataclass(frozen=True, slots=True)
class Owed:
    """What one client is owed."""

    client: str
    """The exchange's pseudonym of the client: one name, one leaf."""
    balance: int
    """In the asset's smallest unit."""
    salt: bytes
    """Sixteen random bytes, fresh for each tree: else two trees would show who is the same client."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the tree: its digest, and what the clients in it are owed together."""

    digest: bytes
    sum: int


class SumTree:
    """The tree over all clients of an exchange for one asset and date."""

    __slots__ = ("_levels", "_owed", "_places", "_scope")

    def __init__(self, scope: Scope, clients: Sequence[Owed]) -> None:
        """Build the tree.

        Raises:
            ValueError: too many clients, a client or a salt twice, a salt of another length, a balance or the total
                out of its bounds.
        """
        _check_clients(clients)
        bound = scope.digest()
        leaves = sorted(((_leaf(bound, each), each) for each in clients), key=_by_digest)
        self._scope = scope
        self._owed = [owed for _, owed in leaves]
        self._places = {owed.client: place for place, owed in enumerate(self._owed)}
        width = 1 << _depth(len(leaves))
        padding = [_padding(bound, place) for place in range(len(leaves), width)]
        self._levels = [[*(leaf for leaf, _ in leaves), *padding]]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([_node(left, right) for left, right in zip(below[::2], below[1::2], strict=True)])

    def published(self) -> Published:
        """Return what is published of the tree."""
        (top,) = self._levels[-1]
        return Published(
            exchange=self._scope.exchange,
            asset=self._scope.asset,
            date=self._scope.date,
            root=b64url(_root(self._scope.digest(), len(self._owed), top)),
            total=top.sum,
            leaves=len(self._owed),
        )

    def proof(self, client: str) -> InclusionProof:
        """Return the way of a client's leaf to the root.

        Raises:
            KeyError: the client is not in the tree.
        """
        place = self._places[client]
        owed = self._owed[place]
        path = [level[(place >> height) ^ 1] for height, level in enumerate(self._levels[:-1])]
        return InclusionProof(
            client=client,
            salt=b64url(owed.salt),
            balance=owed.balance,
            index=place,
            path=tuple(Sibling(digest=b64url(node.digest), sum=node.sum) for node in path),
        )


def verify_inclusion(proof: InclusionProof, published: Published, *, client: str, balance: int) -> None:
    """Check that a client is in the published total with a balance. Needs nothing but its arguments.

    Args:
        proof: what the exchange gave the client.
        published: the root as it stands on the ledger, not as the exchange tells it.
        client: the client's own name at the exchange, from its own papers. A leaf of somebody else is no proof.
        balance: what the client knows it was owed at the cut.

    Raises:
        InvalidProof: it does not; says what was expected and got.
    """
    if proof.client != client:
        raise InvalidProof(f"expected the leaf of {client}, got that of {proof.client}")
    if proof.balance != balance:
        raise InvalidProof(f"expected a balance of {balance}, the leaf says {proof.balance}")
    if proof.index >= published.leaves:
        raise InvalidProof(f"expected a place below {published.leaves}, got {proof.index}")
    if len(proof.path) != _depth(published.leaves):
        raise InvalidProof(f"expected {_depth(published.leaves)} steps to the root, got {len(proof.path)}")
    bound = _scope_of(published).digest()
    node = _leaf(bound, Owed(client, balance, _bytes(proof.salt, SALT_BYTES)))
    for height, sibling in enumerate(proof.path):
        node = _step(
            node, Node(_bytes(sibling.digest, DIGEST_BYTES), sibling.sum), is_right=bool(proof.index >> height & 1)
        )
    _check_root(bound, published, node)


def verify_bytes(data: bytes, published: Published, *, client: str, balance: int) -> None:
    """Check a proof as it travels: canonical JSON. See :func:`verify_inclusion`.

    Raises:
        InvalidProof: it is no proof of inclusion, or does not hold.
    """
    try:
        proof = canonical.decode(data, InclusionProof)
    except canonical.NotCanonical as error:
        raise InvalidProof(f"expected a proof of inclusion as canonical JSON: {error}") from error
    verify_inclusion(proof, published, client=client, balance=balance)


def verify_whole(clients: Sequence[Owed], published: Published) -> None:
    """Check a root against all leaves, as an auditor who has them does; whether clients are missing he must find out.

    Raises:
        InvalidProof: the leaves make another tree, or none.
    """
    try:
        tree = SumTree(_scope_of(published), clients)
    except ValueError as error:
        raise InvalidProof(f"expected the leaves of a tree: {error}") from error
    found = tree.published()
    if found != published:
        raise InvalidProof(f"expected {_readable(published)}, the leaves make {_readable(found)}")


def _check_clients(clients: Sequence[Owed]) -> None:
    if len(clients) > LEAVES_MAX:
        raise ValueError(f"expected at most {LEAVES_MAX} clients, got {len(clients)}")
    names: set[str] = set()
    salts: set[bytes] = set()
    total = 0
    for owed in clients:
        if not _NAME.fullmatch(owed.client):
            raise ValueError(f"expected a label as the name of a client, got {owed.client!r}")
        if owed.client in names:
            raise ValueError(f"client {owed.client} stands twice")
        if len(owed.salt) != SALT_BYTES:
            raise ValueError(f"expected a salt of {SALT_BYTES} bytes for client {owed.client}, got {len(owed.salt)}")
        if owed.salt in salts:
            raise ValueError(f"the salt of client {owed.client} was drawn for another client")
        if not 0 <= owed.balance <= BALANCE_MAX:
            raise ValueError(f"expected a balance from 0 to {BALANCE_MAX}, client {owed.client} has {owed.balance}")
        total += owed.balance
        if total > BALANCE_MAX:
            raise ValueError(f"expected a total up to {BALANCE_MAX}, it is passed at client {owed.client}")
        names.add(owed.client)
        salts.add(owed.salt)


def _depth(leaves: int) -> int:
    """Steps from a leaf to the root: the tree is filled up to a power of two, and has one place at least."""
    return (leaves - 1).bit_length() if leaves else 0


def _leaf(bound: bytes, owed: Owed) -> Node:
    name = digest.tagged("liability-client", owed.salt + owed.client.encode("ascii"))
    return Node(digest.tagged("liability-leaf", bound + name + _u64(owed.balance)), owed.balance)


def _padding(bound: bytes, place: int) -> Node:
    return Node(digest.tagged("liability-padding", bound + _u64(place)), 0)


def _node(left: Node, right: Node) -> Node:
    bound = left.digest + _u64(left.sum) + right.digest + _u64(right.sum)
    return Node(digest.tagged("liability-node", bound), left.sum + right.sum)


def _root(bound: bytes, leaves: int, top: Node) -> bytes:
    return digest.tagged("liability-root", bound + _u64(leaves) + top.digest + _u64(top.sum))


def _step(node: Node, sibling: Node, *, is_right: bool) -> Node:
    if node.sum + sibling.sum > BALANCE_MAX:
        raise InvalidProof(f"expected sums up to {BALANCE_MAX}, got {node.sum} and {sibling.sum}")
    return _node(sibling, node) if is_right else _node(node, sibling)


def _check_root(bound: bytes, published: Published, top: Node) -> None:
    if top.sum != published.total:
        raise InvalidProof(f"expected a total of {published.total}, the sums on the way come to {top.sum}")
    root = b64url(_root(bound, published.leaves, top))
    if root != published.root:
        raise InvalidProof(f"expected the root {published.root}, got {root}")


def _scope_of(published: Published) -> Scope:
    return Scope(published.exchange, published.asset, published.date)


def _bytes(text: str, length: int) -> bytes:
    try:
        return b64url_decode(text, length=length)
    except ValueError as error:
        raise InvalidProof(f"expected {length} bytes as base64url: {error}") from error


def _readable(published: Published) -> str:
    return f"{published.leaves} leaves, total {published.total}, root {published.root}"


def _by_digest(leaf: tuple[Node, Owed]) -> bytes:
    return leaf[0].digest


def _u64(number: int) -> bytes:
    return number.to_bytes(8)
