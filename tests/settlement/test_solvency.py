"""The sum tree: every client is in the total with its balance, and no trick makes the total smaller."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical
from ledger.crypto.canonical import b64url, b64url_decode
from ledger.crypto.merkle import InvalidProof
from ledger.units import BALANCE_MAX, AssetId, BusinessDate, ParticipantId
from settlement.model.liabilities import DEPTH_MAX, LEAVES_MAX, InclusionProof, Published, Sibling
from settlement.solvency import Owed, Scope, SumTree, verify_bytes, verify_inclusion, verify_whole

SCOPE = Scope(ParticipantId("aix-one"), AssetId("BTC:aix-one"), BusinessDate("2024-12-27"))


def owed(client: str, balance: int, *, salt: bytes | None = None) -> Owed:
    """A client with a salt of its own, the same in every run."""
    return Owed(client, balance, salt or hashlib.sha256(client.encode()).digest()[:16])


def tree_of(*balances: int) -> SumTree:
    """A tree of clients ``client-0``, ``client-1`` ... with these balances."""
    return SumTree(SCOPE, clients_of(balances))


def clients_of(balances: tuple[int, ...] | list[int]) -> list[Owed]:
    """Clients ``client-0``, ``client-1`` ... with these balances."""
    return [owed(f"client-{number}", balance) for number, balance in enumerate(balances)]


balances = st.lists(st.integers(0, 10**12), min_size=1, max_size=40)


@given(balances)
def test_the_total_is_the_sum_and_each_client_is_in_it(amounts: list[int]) -> None:
    clients = clients_of(amounts)
    tree = SumTree(SCOPE, clients)
    published = tree.published()

    assert published.total == sum(amounts)
    assert published.leaves == len(amounts)
    for each in clients:
        verify_bytes(canonical.encode(tree.proof(each.client)), published, client=each.client, balance=each.balance)
    verify_whole(clients, published)


@given(balances, st.data())
def test_any_changed_bit_of_a_proof_fails(amounts: list[int], data: st.DataObject) -> None:
    tree = tree_of(*amounts)
    number = data.draw(st.integers(0, len(amounts) - 1))
    encoded = bytearray(canonical.encode(tree.proof(f"client-{number}")))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(InvalidProof):
        verify_bytes(bytes(encoded), tree.published(), client=f"client-{number}", balance=amounts[number])


@given(balances, st.data())
def test_a_proof_serves_no_other_publication(amounts: list[int], data: st.DataObject) -> None:
    tree = tree_of(*amounts)
    changes = {
        "exchange": ParticipantId("aix-two"),
        "asset": AssetId("KZT"),
        "date": BusinessDate("2024-12-28"),
        "root": b64url(bytes(32)),
        "total": sum(amounts) + 1,
        "leaves": len(amounts) + 1,
    }
    name = data.draw(st.sampled_from(sorted(changes)))
    other = msgspec.structs.replace(tree.published(), **{name: changes[name]})

    with pytest.raises(InvalidProof):
        verify_inclusion(tree.proof("client-0"), other, client="client-0", balance=amounts[0])


@given(balances, st.randoms(use_true_random=False))
def test_the_root_does_not_depend_on_the_order_of_the_clients(amounts: list[int], random: object) -> None:
    clients = clients_of(amounts)
    shuffled = list(clients)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert SumTree(SCOPE, shuffled).published() == SumTree(SCOPE, clients).published()


def test_the_place_of_a_client_follows_from_its_salt_and_not_from_the_list() -> None:
    places = [
        SumTree(SCOPE, [owed(f"client-{n}", 1, salt=bytes([day]) + bytes(14) + bytes([n])) for n in range(8)])
        .proof("client-0")
        .index
        for day in range(8)
    ]

    assert len(set(places)) > 1


def test_an_exchange_without_clients_owes_nothing() -> None:
    published = tree_of().published()

    assert (published.total, published.leaves) == (0, 0)
    verify_whole([], published)
    with pytest.raises(InvalidProof, match="expected a place below 0, got 0"):
        verify_inclusion(tree_of(1).proof("client-0"), published, client="client-0", balance=1)


def test_a_single_client_is_the_whole_tree() -> None:
    tree = tree_of(7)

    assert tree.proof("client-0").path == ()
    verify_inclusion(tree.proof("client-0"), tree.published(), client="client-0", balance=7)


def test_padding_owes_nothing() -> None:
    tree = tree_of(1, 2, 4, 8, 16)

    assert tree.published().total == 31
    assert all(len(tree.proof(f"client-{number}").path) == 3 for number in range(5))


def test_who_is_not_in_the_tree_gets_no_proof() -> None:
    with pytest.raises(KeyError):
        tree_of(1).proof("client-1")


# --- the bytes, made a second time ----------------------------------------------------------------------


def sha(tag: str, data: bytes) -> bytes:
    return hashlib.sha256(b"dt/v1/" + tag.encode() + b"\0" + data).digest()


def scope_by_hand(exchange: str, asset: str, date: str) -> bytes:
    data = b"".join(len(text).to_bytes(4, "big") + text.encode() for text in (exchange, asset, date))
    return sha("liability-scope", data)


def test_the_bytes_are_those_of_the_wire_format() -> None:
    """The test vector of docs/reference/wire_format.md."""
    scope = scope_by_hand("aix-one", "BTC:aix-one", "2024-12-27")
    parts = []
    for client, balance, salt in (("client-a", 300, 1), ("client-b", 0, 2), ("client-c", 5, 3)):
        name = sha("liability-client", bytes([salt]) * 16 + client.encode())
        parts.append((sha("liability-leaf", scope + name + balance.to_bytes(8, "big")), balance))
    parts.sort()
    parts.append((sha("liability-padding", scope + (3).to_bytes(8, "big")), 0))
    while len(parts) > 1:
        parts = [
            (
                sha("liability-node", a + x.to_bytes(8, "big") + b + y.to_bytes(8, "big")),
                x + y,
            )
            for (a, x), (b, y) in zip(parts[::2], parts[1::2], strict=True)
        ]
    ((top, total),) = parts
    root = sha("liability-root", scope + (3).to_bytes(8, "big") + top + total.to_bytes(8, "big"))

    tree = SumTree(
        SCOPE,
        [
            Owed("client-a", 300, bytes([1]) * 16),
            Owed("client-b", 0, bytes([2]) * 16),
            Owed("client-c", 5, bytes([3]) * 16),
        ],
    )
    assert tree.published().total == total == 305
    assert tree.published().root == b64url(root)
    assert b64url(root) == VECTOR_ROOT


VECTOR_ROOT = "uv1jl6JAa9EMTH7_NpauRGG16wmZ1qBIY_rYIyVZ4_8"


# --- attacks --------------------------------------------------------------------------------------------


def test_the_sum_of_a_sibling_is_bound_and_not_only_the_sum_of_both() -> None:
    """The known break of sum trees (ePrint 2018/1139): a sibling whose sum is told smaller to each of the two."""
    tree = tree_of(70, 30)
    honest = tree.published()
    proof = tree.proof("client-0")
    (sibling,) = proof.path
    forged = msgspec.structs.replace(proof, path=(Sibling(digest=sibling.digest, sum=0),))

    with pytest.raises(InvalidProof, match="expected a total of 100, the sums on the way come to 70"):
        verify_inclusion(forged, honest, client="client-0", balance=70)
    with pytest.raises(InvalidProof, match="expected the root"):
        verify_inclusion(forged, msgspec.structs.replace(honest, total=70), client="client-0", balance=70)


def test_sums_moved_between_siblings_make_another_root() -> None:
    tree = tree_of(5, 5, 5, 5)
    proof = tree.proof("client-0")
    near, far = proof.path
    moved = (Sibling(digest=near.digest, sum=4), Sibling(digest=far.digest, sum=11))

    with pytest.raises(InvalidProof, match="expected the root"):
        verify_inclusion(msgspec.structs.replace(proof, path=moved), tree.published(), client="client-0", balance=5)


def test_a_leaf_serves_one_client_only() -> None:
    """Two clients with one balance, and the exchange put only one of them into the tree."""
    tree = tree_of(50, 7)

    with pytest.raises(InvalidProof, match="expected the leaf of client-9, got that of client-0"):
        verify_inclusion(tree.proof("client-0"), tree.published(), client="client-9", balance=50)
    renamed = msgspec.structs.replace(tree.proof("client-0"), client="client-9")
    with pytest.raises(InvalidProof, match="expected the root"):
        verify_inclusion(renamed, tree.published(), client="client-9", balance=50)


def test_a_client_sees_a_smaller_balance() -> None:
    tree = tree_of(49, 7)

    with pytest.raises(InvalidProof, match="expected a balance of 50, the leaf says 49"):
        verify_inclusion(tree.proof("client-0"), tree.published(), client="client-0", balance=50)


def test_a_leaf_is_no_inner_node_and_an_inner_node_is_no_leaf() -> None:
    """Tags set leaves, padding, nodes and roots apart, so a path cut short leads nowhere whatever the count says."""
    tree = tree_of(1, 2, 4, 8)
    proof = tree.proof("client-0")
    published = tree.published()

    with pytest.raises(InvalidProof, match="expected 2 steps to the root, got 1"):
        verify_inclusion(msgspec.structs.replace(proof, path=proof.path[:1]), published, client="client-0", balance=1)
    with pytest.raises(InvalidProof, match="expected 2 steps to the root, got 3"):
        verify_inclusion(
            msgspec.structs.replace(proof, path=(*proof.path, proof.path[0])), published, client="client-0", balance=1
        )
    shorter = msgspec.structs.replace(proof, index=0, path=proof.path[1:])
    with pytest.raises(InvalidProof, match=r"expected a total of 15|expected the root"):
        verify_inclusion(shorter, msgspec.structs.replace(published, leaves=2), client="client-0", balance=1)
    inner = sha("liability-node", bytes(80))
    assert inner != sha("liability-leaf", bytes(80))
    assert len({sha(f"liability-{part}", bytes(80)) for part in ("leaf", "node", "padding", "root")}) == 4


def test_sums_on_the_way_do_not_overflow() -> None:
    """Modulo 2^64, a huge sibling would make a small total."""
    tree = tree_of(1, 2)
    proof = tree.proof("client-0")
    huge = msgspec.structs.replace(proof, path=(Sibling(digest=proof.path[0].digest, sum=BALANCE_MAX),))

    with pytest.raises(InvalidProof, match="expected sums up to"):
        verify_inclusion(huge, tree.published(), client="client-0", balance=1)


@pytest.mark.parametrize("place", ["index", "balance", "sum"])
def test_nothing_below_zero_can_be_said(place: str) -> None:
    tree = tree_of(1, 2)
    encoded = canonical.encode(tree.proof("client-0"))
    document = msgspec.json.decode(encoded)
    if place == "sum":
        document["path"][0]["sum"] = -1
    else:
        document[place] = -1

    with pytest.raises(InvalidProof, match="expected a proof of inclusion as canonical JSON"):
        verify_bytes(canonical.encode(document), tree.published(), client="client-0", balance=1)


def test_a_digest_or_salt_in_another_spelling_is_no_proof() -> None:
    tree = tree_of(1, 2)
    proof = tree.proof("client-0")
    published = tree.published()

    for changed in (
        msgspec.structs.replace(proof, salt="A" * 21 + "B"),
        msgspec.structs.replace(proof, path=(Sibling(digest="A" * 42 + "B", sum=2),)),
    ):
        with pytest.raises(InvalidProof, match="bytes as base64url"):
            verify_inclusion(changed, published, client="client-0", balance=1)


# --- what no tree is built of ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clients", "message"),
    [
        ([owed("a", -1)], "expected a balance from 0"),
        ([owed("a", BALANCE_MAX + 1)], "expected a balance from 0"),
        ([owed("a", BALANCE_MAX), owed("b", 1)], "it is passed at client b"),
        ([owed("a", 1), owed("a", 1, salt=bytes(16))], "client a stands twice"),
        ([owed("a", 1, salt=bytes(16)), owed("b", 1, salt=bytes(16))], "drawn for another client"),
        ([owed("a", 1, salt=bytes(15))], "expected a salt of 16 bytes for client a, got 15"),
        ([owed("a b", 1)], "expected a label as the name of a client, got 'a b'"),
        ([owed("a", 1)] * (LEAVES_MAX + 1), "expected at most 4194304 clients, got 4194305"),
        ([owed("a", 1)] * LEAVES_MAX, "client a stands twice"),
    ],
)
def test_no_tree_is_built_of(clients: list[Owed], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SumTree(SCOPE, clients)


def test_a_total_may_be_the_largest_there_is() -> None:
    tree = tree_of(BALANCE_MAX - 1, 1)

    assert tree.published().total == BALANCE_MAX
    verify_inclusion(tree.proof("client-1"), tree.published(), client="client-1", balance=1)


def test_an_auditor_sees_a_leaf_left_out() -> None:
    everyone = clients_of([10, 20, 30])
    published = SumTree(SCOPE, everyone[:2]).published()

    with pytest.raises(InvalidProof, match=r"expected 2 leaves, total 30, .* the leaves make 3 leaves, total 60"):
        verify_whole(everyone, published)
    with pytest.raises(InvalidProof, match="expected the leaves of a tree: client client-0 stands twice"):
        verify_whole([everyone[0], everyone[0]], published)


def test_a_proof_has_a_bounded_length() -> None:
    assert 2**DEPTH_MAX == LEAVES_MAX
    step = Sibling(digest=b64url(bytes(32)), sum=BALANCE_MAX)
    longest = InclusionProof(
        client="c" * 35, salt=b64url(bytes(16)), balance=BALANCE_MAX, index=LEAVES_MAX - 1, path=(step,) * DEPTH_MAX
    )
    encoded = canonical.encode(longest)

    assert len(encoded) < 2_300
    assert canonical.decode(encoded, InclusionProof) == longest
    longer = canonical.encode(msgspec.structs.replace(longest, path=(step,) * (DEPTH_MAX + 1)))
    with pytest.raises(canonical.NotCanonical, match="path"):
        canonical.decode(longer, InclusionProof)


def test_a_root_is_a_digest() -> None:
    published: Published = tree_of(1).published()

    assert len(b64url_decode(published.root, length=32)) == 32
