"""Keys: the published vectors, and the points that must not become keys."""

import pickle
from hashlib import sha512

import pytest
from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from nacl.bindings import crypto_core_ed25519_add, crypto_scalarmult_ed25519_base_noclamp

from ledger.crypto.canonical import b64url
from ledger.crypto.keys import InvalidKey, InvalidSignature, PrivateKey, PublicKey, thumbprint

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        b"",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        b"\x72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        b"\xaf\x82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        sha512(b"abc").digest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]

RFC_8037_JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493

IDENTITY = bytes.fromhex("01" + "00" * 31)
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
SMALL_ORDER = [
    IDENTITY,
    bytes.fromhex("ec" + "ff" * 30 + "7f"),
    bytes.fromhex("00" * 32),
    bytes.fromhex("00" * 31 + "80"),
    ORDER_8,
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
]
NOT_CANONICAL = [
    *[(FIELD_PRIME + small | sign << 255).to_bytes(32, "little") for small in range(19) for sign in (0, 1)],
    bytes.fromhex("01" + "00" * 30 + "80"),  # the identity with a sign it cannot have
    bytes.fromhex("ec" + "ff" * 31),  # the point of order two with a sign it cannot have
]

seeds = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(seed: str, public: str, message: bytes, signature: str) -> None:
    key = PrivateKey.from_seed(bytes.fromhex(seed))
    assert key.public.raw.hex() == public
    assert key.sign(message).hex() == signature
    PublicKey.from_raw(bytes.fromhex(public)).verify(bytes.fromhex(signature), message)


def test_the_key_and_thumbprint_of_rfc_8037() -> None:
    key = PrivateKey.from_jwk(RFC_8037_JWK)
    assert key.public.kid == thumbprint(RFC_8037_JWK["x"]) == RFC_8037_THUMBPRINT
    assert key.to_jwk() == RFC_8037_JWK | {"kid": RFC_8037_THUMBPRINT}
    assert PublicKey.from_x(RFC_8037_JWK["x"]) == key.public


@given(seeds)
def test_another_library_reads_our_keys_and_names_them_alike(seed: bytes) -> None:
    key = PrivateKey.from_seed(seed)
    theirs = OKPKey.import_key({**key.to_jwk()})
    assert theirs.thumbprint() == key.public.kid
    assert PrivateKey.from_jwk(theirs.as_dict(private=True)).public == key.public


@given(seeds, st.binary(max_size=200))
def test_what_a_key_signs_it_verifies_and_nothing_else(seed: bytes, message: bytes) -> None:
    key = PrivateKey.from_seed(seed)
    signature = key.sign(message)
    key.public.verify(signature, message)
    for other in (message + b"\0", b"\0" + message):
        with pytest.raises(InvalidSignature, match=key.public.kid):
            key.public.verify(signature, other)
    for position in (0, 31, 32, 63):
        flipped = bytearray(signature)
        flipped[position] ^= 1
        with pytest.raises(InvalidSignature):
            key.public.verify(bytes(flipped), message)


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_false(length: int) -> None:
    with pytest.raises(InvalidSignature):
        PrivateKey.generate().public.verify(bytes(length), b"")


def test_the_second_half_of_a_signature_must_lie_below_the_group_order() -> None:
    key = PrivateKey.generate()
    signature = key.sign(b"message")
    raised = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    with pytest.raises(InvalidSignature):
        key.public.verify(signature[:32] + raised.to_bytes(32, "little"), b"message")


@pytest.mark.parametrize("raw", SMALL_ORDER + NOT_CANONICAL)
def test_points_of_small_order_and_other_spellings_are_not_keys(raw: bytes) -> None:
    with pytest.raises(InvalidKey, match="canonical Ed25519 point of prime order"):
        PublicKey.from_raw(raw)
    with pytest.raises(InvalidKey):
        PublicKey.from_x(b64url(raw))


@pytest.mark.parametrize("small", SMALL_ORDER[1:])
def test_points_of_mixed_order_are_not_keys(small: bytes) -> None:
    mixed = crypto_core_ed25519_add(PrivateKey.generate().public.raw, small)
    Ed25519PublicKey.from_public_bytes(mixed)
    with pytest.raises(InvalidKey):
        PublicKey.from_raw(mixed)


def test_why_the_identity_is_refused_one_signature_fits_every_message() -> None:
    careless = Ed25519PublicKey.from_public_bytes(IDENTITY)
    for message in (b"pay one tenge", b"pay all of it"):
        careless.verify(IDENTITY + bytes(32), message)
        with pytest.raises(InvalidSignature):
            PublicKey.trusted(b64url(IDENTITY)).verify(IDENTITY + bytes(32), message)


@given(seeds, st.binary(max_size=200), st.integers(0, 64 * 8 - 1))
def test_another_library_verifies_alike_whole_and_with_one_bit_changed(seed: bytes, message: bytes, bit: int) -> None:
    key = PrivateKey.from_seed(seed)
    theirs = Ed25519PublicKey.from_public_bytes(key.public.raw)
    signature = key.sign(message)
    changed = bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0) for at, byte in enumerate(signature))
    key.public.verify(signature, message)
    theirs.verify(signature, message)
    with pytest.raises(InvalidSignature):
        key.public.verify(changed, message)
    with pytest.raises(exceptions.InvalidSignature):
        theirs.verify(changed, message)


def _signed_with(point: bytes, nonce: int, message: bytes) -> tuple[PublicKey, bytes]:
    """A signature whose R is the given point, in place of or beside the multiple of the base that it should be."""
    secret = 1 + int.from_bytes(sha512(b"a secret scalar").digest(), "little") % (GROUP_ORDER - 1)
    public = crypto_scalarmult_ed25519_base_noclamp(secret.to_bytes(32, "little"))
    if nonce:
        point = crypto_core_ed25519_add(crypto_scalarmult_ed25519_base_noclamp(nonce.to_bytes(32, "little")), point)
    challenge = int.from_bytes(sha512(point + public + message).digest(), "little")
    scalar = (nonce + challenge * secret) % GROUP_ORDER
    return PublicKey.from_raw(public), point + scalar.to_bytes(32, "little")


def test_a_signature_made_by_hand_holds() -> None:
    key, signature = _signed_with(IDENTITY, 12_345, b"message")
    key.verify(signature, b"message")


@pytest.mark.parametrize("small", SMALL_ORDER[1:])
def test_no_cofactor_makes_up_for_a_part_of_small_order_in_r(small: bytes) -> None:
    key, signature = _signed_with(small, 12_345, b"message")
    with pytest.raises(InvalidSignature):
        key.verify(signature, b"message")


def test_r_of_small_order_is_refused_though_the_equation_holds() -> None:
    key, signature = _signed_with(IDENTITY, 0, b"message")
    Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, b"message")
    with pytest.raises(InvalidSignature):
        key.verify(signature, b"message")


def test_bytes_that_are_no_point_are_not_a_key() -> None:
    with pytest.raises(InvalidKey):
        PublicKey.from_raw((2).to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(InvalidKey, match=f"32 bytes, got {length}"):
        PublicKey.from_raw(bytes(length))
    with pytest.raises(InvalidKey, match=f"32 bytes, got {length}"):
        PrivateKey.from_seed(bytes(length))
    for read in (PublicKey.from_x, PublicKey.trusted):
        with pytest.raises(InvalidKey, match="32 bytes"):
            read(b64url(bytes(length)))


def test_the_text_of_a_key_has_one_spelling() -> None:
    x = PrivateKey.from_seed(bytes(32)).public.x
    for other in (x + "=", x[:-1] + chr(ord(x[-1]) + 1), " " + x, ""):
        with pytest.raises(InvalidKey):
            PublicKey.from_x(other)


def test_a_key_read_again_is_the_same_object() -> None:
    x = PrivateKey.generate().public.x
    assert PublicKey.from_x(x) is PublicKey.from_x(x)
    assert PublicKey.trusted(x) is PublicKey.trusted(x)
    assert PublicKey.trusted(x) == PublicKey.from_x(x)


def test_public_keys_are_equal_by_their_bytes_and_do_not_change() -> None:
    one, two = PrivateKey.generate().public, PrivateKey.generate().public
    assert one != two
    assert {one, PublicKey.from_raw(one.raw)} == {one}
    assert repr(one) == f"PublicKey(kid='{one.kid}')"
    with pytest.raises(AttributeError):
        one.kid = two.kid  # type: ignore[misc]


def test_a_private_key_does_not_show_its_secret() -> None:
    key = PrivateKey.generate()
    secret = key.to_jwk()["d"]
    assert secret not in repr(key)
    assert repr(key) == str(key) == f"PrivateKey(kid='{key.public.kid}')"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_generated_keys_differ() -> None:
    assert PrivateKey.generate().public != PrivateKey.generate().public


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kty": "EC"}, "kty OKP"),
        ({"crv": "X25519"}, "crv Ed25519"),
        ({"d": None}, "with the member d"),
        ({"d": "AA"}, "32 bytes"),
        ({"d": b64url(bytes(32))}, "x to be the public key of d"),
        ({"x": None}, "x to be the public key of d"),
        ({"kid": "another"}, "kid to be the RFC 7638 thumbprint"),
    ],
)
def test_a_json_web_key_that_does_not_hold_together_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidKey, match=message) as caught:
        PrivateKey.from_jwk(RFC_8037_JWK | change)
    assert RFC_8037_JWK["d"] not in str(caught.value)


def test_members_of_a_json_web_key_that_say_nothing_about_the_key_are_passed_over() -> None:
    assert PrivateKey.from_jwk(RFC_8037_JWK | {"use": "sig", "alg": "EdDSA"}).public.x == RFC_8037_JWK["x"]
