"""From received bytes to a signed transaction: each fault has its code, in the order of the checks."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.crypto import canonical, digest, jws
from ledger.crypto.keys import thumbprint
from ledger.model.assets import TENGE
from ledger.model.participants import KeyUse
from ledger.model.transactions import EmbeddedJws
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.keys import KeyAdd
from ledger.rules.opening import NotAdmissible
from tests.book import Book, key_of, own_account, pilot_book, wallet
from tests.rules.answers import answers
from tests.rules.bodies import pay
from tests.rules.escrow import BOUND, CLIENT, EscrowPay, embedded, escrow_book, mandate

PAYMENT = pay(own_account("601"), wallet("602", 1), 5)


def payload(book: Book, **changes: object) -> bytes:
    """The canonical bytes of a payment, with some members changed; None takes one out."""
    members = msgspec.to_builtins(book.transaction("transfer", PAYMENT, by="bank-a")) | changes
    return canonical.encode({name: value for name, value in members.items() if value is not None})


def signed(data: bytes, *signers: str, typ: str = jws.TYP_TRANSACTION) -> bytes:
    keys = [key_of(name) for name in signers or ("bank-a-1",)]
    return jws.serialize(jws.sign(data, keys, typ=typ))


def test_what_is_opened_is_what_was_signed(book: Book) -> None:
    data = payload(book)
    opened = book.open(signed(data, "bank-a-2", "bank-a-1"))
    assert opened.payload == data
    assert canonical.encode(opened.body) == canonical.encode(PAYMENT)
    assert opened.transaction_id == digest.transaction_id(data)
    assert opened.signers == tuple(key_of(name).public.kid for name in ("bank-a-2", "bank-a-1"))
    assert opened.submission == signed(data, "bank-a-2", "bank-a-1")


def test_who_signed_does_not_depend_on_the_order_of_signatures(book: Book) -> None:
    data = payload(book)
    assert (
        book.open(signed(data, "bank-a-2", "bank-a-1")).authorised_by
        == book.open(signed(data, "bank-a-1", "bank-a-2")).authorised_by
    )


def test_white_space_around_the_envelope_is_not_kept(book: Book) -> None:
    raw = signed(payload(book))
    assert book.open(b" " + raw.replace(b",", b" , ") + b"\n").submission == raw


# --- the envelope -------------------------------------------------------------------------------------------


@answers("transfer", "jws_malformed")
def test_other_bytes_are_no_envelope(book: Book) -> str:
    return book.attempt(b"{}")


@answers("transfer", "jws_type_invalid")
def test_a_mandates_signature_is_no_transactions(book: Book) -> str:
    return book.attempt(signed(payload(book), typ=jws.TYP_MANDATE))


@answers("transfer", "jws_signature_count")
def test_an_envelope_without_signatures_is_refused(book: Book) -> str:
    return book.attempt(canonical.encode({"payload": canonical.b64url(payload(book)), "signatures": []}))


@answers("transfer", "jws_duplicate_key")
def test_a_key_signs_once(book: Book) -> str:
    members = msgspec.json.decode(signed(payload(book)))
    return book.attempt(canonical.encode(members | {"signatures": members["signatures"] * 2}))


def with_header(book: Book, **header: str) -> str:
    members = msgspec.json.decode(signed(payload(book)))
    protected = {"alg": "Ed25519", "kid": key_of("bank-a-1").public.kid, "typ": jws.TYP_TRANSACTION} | header
    members["signatures"][0]["protected"] = canonical.b64url(canonical.encode(protected))
    return book.attempt(canonical.encode(members))


@answers("transfer", "jws_algorithm_invalid")
def test_another_algorithm_is_refused(book: Book) -> str:
    return with_header(book, alg="HS256")


@answers("transfer", "jws_header_invalid")
def test_a_header_has_its_three_members_and_no_other(book: Book) -> str:
    return with_header(book, jku="https://example.com/keys")


# --- the payload --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"kind":7}',
        b'{"kind":"Transfer"}',
        b'{"kind":"transfer"}',
        b'{"kind":"transfer","kind":"transfer"}',
        b'{"kind":' + b"9" * 5_000 + b"}",
        b'{"kind":"transfer","x":' + b"9" * 5_000 + b"}",
        b'{"kind":"transfer","x":NaN}',
        b'{"kind":"transfer","x":1e999}',
        b'{"kind":"transfer","x":"\\ud800"}',
        b"[" * 100_000,
        b'{"x":' * 100_000,
        b'{"kind":"transfer","x":' + b"[" * 100_000,
    ],
    ids=lambda data: repr(data[:30]),
)
@answers("transfer", "payload_invalid")
def test_a_payload_that_is_no_transaction_is_malformed(book: Book, data: bytes) -> str:
    return book.attempt(signed(data))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("network", "test"),
        ("participant", "Bank A"),
        ("participant", "a" * 33),
        ("reference", "00000000-0000-4000-8000-000000000000"),
        ("reference", None),
        ("expires", -1),
        ("expires", 2**53),
        ("expires", 0.5),
        ("body", None),
        ("body", {}),
        ("memo", "hello"),
    ],
)
@answers("transfer", "payload_invalid")
def test_a_member_out_of_its_bounds_is_malformed(book: Book, member: str, value: object) -> str:
    return book.attempt(signed(payload(book, **{member: value})))


@answers("transfer", "payload_invalid")
def test_another_spelling_of_the_payload_is_malformed(book: Book) -> str:
    return book.attempt(signed(payload(book).replace(b":5,", b": 5,")))


def test_a_malformed_member_is_named(book: Book) -> None:
    data = payload(book, body=msgspec.to_builtins(PAYMENT) | {"amount": 0})
    with pytest.raises(NotAdmissible, match=r"payload_invalid: .*`\$\.body\.amount`"):
        book.open(signed(data))


def test_an_order_is_a_number_and_no_text_about_a_person(book: Book) -> None:
    def freeze(reason: str) -> str:
        data = payload(book, kind="account_freeze", body={"account": wallet("601", 1), "reason": reason})
        return book.attempt(signed(data))

    for reason in ("", "1" * 36, "Иванов", "Ivanov Ivan", "850101300123"):
        assert freeze(reason) == "payload_invalid"
    assert freeze("2024/17-" + "1" * 27) == "accepted"


@answers("transfer", "kind_unknown")
def test_an_unknown_kind_is_named(book: Book) -> str:
    return book.attempt(signed(payload(book, kind="teleport")))


@answers("transfer", "wrong_network")
def test_a_transaction_for_another_network_is_not_ours(book: Book) -> str:
    return book.attempt(signed(payload(book, network=f"other:{'A' * 43}")))


# --- signatures ---------------------------------------------------------------------------------------------


@answers("transfer", "key_unknown")
def test_an_unknown_key_signs_nothing(book: Book) -> str:
    return book.attempt(signed(payload(book), "bank-a-1", "nobody"))


def spoilt(raw: bytes, number: int = 0) -> bytes:
    """The envelope with one signature made over something else."""
    members = msgspec.json.decode(raw)
    other = msgspec.json.decode(signed(b"other", "bank-a-1"))
    members["signatures"][number]["signature"] = other["signatures"][0]["signature"]
    return canonical.encode(members)


@answers("transfer", "signature_invalid")
def test_a_signature_over_other_bytes_is_no_signature(book: Book) -> str:
    return book.attempt(spoilt(signed(payload(book))))


def test_signatures_are_checked_before_the_body(book: Book) -> None:
    malformed = payload(book, body={})
    assert book.attempt(spoilt(signed(malformed))) == "signature_invalid"
    assert book.attempt(spoilt(signed(payload(book, network=f"other:{'A' * 43}")))) == "signature_invalid"


def test_a_presented_keys_signature_is_checked_too(book: Book) -> None:
    body = KeyAdd(x=key_of("fresh").public.x, signatory="fresh", use=KeyUse.TRANSACTION)
    raw = book.signed("key_add", body, by="bank-a", signers=("bank-a-1", "fresh"))
    assert book.attempt(spoilt(raw, 1)) == "signature_invalid"
    assert book.attempt(raw) == "accepted"


NOT_A_POINT = "A" * 43
"""Thirty-two zero bytes: a point of small order."""


@answers("account_open", "public_key_invalid")
def test_a_presented_key_must_be_a_key_even_if_it_did_not_sign(book: Book) -> str:
    new = NewAccount(account=wallet("601", 9), asset=TENGE, account_class="wallet", holder_key=NOT_A_POINT)
    return book.end("account_open", AccountOpen(accounts=(new,)), by="bank-a")


@pytest.mark.parametrize("x", [NOT_A_POINT, "B" * 43], ids=["small order", "stray last bits"])
@answers("key_add", "public_key_invalid")
def test_a_presented_key_must_be_a_key_before_its_signature_counts(book: Book, x: str) -> str:
    data = canonical.encode(
        book.transaction("key_add", KeyAdd(x=x, signatory="fresh", use=KeyUse.TRANSACTION), by="bank-a")
    )
    members = msgspec.json.decode(signed(data))
    protected = {"alg": "Ed25519", "kid": thumbprint(x), "typ": jws.TYP_TRANSACTION}
    members["signatures"].append(
        members["signatures"][0] | {"protected": canonical.b64url(canonical.encode(protected))}
    )
    return book.attempt(canonical.encode(members))


def test_signatures_that_a_checkpoint_vouches_for_need_not_be_checked_again(book: Book) -> None:
    raw = signed(payload(book))
    checked = book.open(raw)
    assert book.open(raw, checks_signatures=False) == checked
    assert book.open(spoilt(raw), checks_signatures=False).payload == checked.payload


# --- mandates -----------------------------------------------------------------------------------------------


def pays(book: Book, consent: object, *, debit: str = BOUND) -> str:
    members = {"debit": debit, "credit": wallet("602", 1), "amount": 5, "mandate": msgspec.to_builtins(consent)}
    return book.attempt(signed(payload(book, kind="escrow_pay", body=members)))


def test_a_mandate_stands_for_the_holders_signature() -> None:
    book = escrow_book()
    assert pays(book, mandate(book)) == "accepted"
    opened = book.open(
        book.signed("escrow_pay", EscrowPay(debit=BOUND, credit=CLIENT, amount=1, mandate=mandate(book)), by="bank-a")
    )
    (verified,) = opened.mandates
    assert (verified.mandate.account, verified.kid) == (BOUND, key_of("holder").public.kid)
    assert len(verified.digest) == 43


@answers("escrow_pay", "mandate_foreign")
def test_a_mandate_for_one_account_covers_no_other() -> str:
    book = escrow_book()
    return pays(book, mandate(book, account=CLIENT))


@pytest.mark.parametrize(
    "change",
    [
        lambda book: mandate(book, network=f"other:{'A' * 43}"),
        lambda book: mandate(book, typ=jws.TYP_TRANSACTION),
        lambda book: mandate(book, by="nobody"),
    ],
)
@answers("escrow_pay", "mandate_invalid")
def test_a_mandate_that_does_not_hold_is_a_problem(change: Callable[[Book], EmbeddedJws]) -> str:
    book = escrow_book()
    return pays(book, change(book))


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
@answers("escrow_pay", "mandate_invalid")
def test_signed_bytes_that_are_no_mandate_are_a_problem(data: bytes) -> str:
    return pays(escrow_book(), msgspec.to_builtins(embedded(data or b" ", by="holder")))


@answers("escrow_pay", "mandate_invalid")
def test_a_mandate_signed_by_another_key_than_it_names_is_a_problem() -> str:
    book = escrow_book()
    return pays(book, msgspec.structs.replace(mandate(book), signature=mandate(book, by="bank-a-1").signature))


# --- whatever comes -----------------------------------------------------------------------------------------


SHARED = pilot_book()


@given(data=st.binary(max_size=200))
def test_no_bytes_break_the_door(data: bytes) -> None:
    for raw in (data, signed(data), signed(payload(SHARED)[: len(data)])):
        with pytest.raises(NotAdmissible):
            SHARED.open(raw)


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_never_opens_as_another_transaction(place: int, bit: int) -> None:
    raw = bytearray(signed(payload(SHARED)))
    raw[place % len(raw)] ^= 1 << bit
    with pytest.raises(NotAdmissible):
        SHARED.open(bytes(raw))
