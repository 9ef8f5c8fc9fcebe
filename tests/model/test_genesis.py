"""The genesis document: what it must say, and the state it describes."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ledger.crypto import canonical
from ledger.genesis import RECOVERY_DELAY_MAX_US, InvalidGenesis, first_state, network_id, read_genesis
from ledger.rules.default_policies import CORE_POLICIES
from ledger.rules.rulebook import Rulebook
from ledger.rules.tables import ACCOUNTS, BALANCES, CAPS, KEYS, PARTICIPANTS, POLICIES, UTC_OFFSETS, ledger_of
from tests.book import CONTRA_ACCOUNT, CORE_RULEBOOK, genesis_document, key_of

Change = Callable[[dict[str, Any]], object]

CHANGES: dict[str, tuple[Change, str]] = {
    "another version": (lambda g: g.update(v=2), r"\$\.v"),
    "an unknown member": (lambda g: g.update(memo="x"), "memo"),
    "an unknown clock": (lambda g: g.update(clock="sundial"), r"\$\.clock"),
    "a long delay": (lambda g: g.update(recovery_delay_us=RECOVERY_DELAY_MAX_US + 1), r"\$\.recovery_delay_us"),
    "no calendar date": (lambda g: g.update(business_date="2024-02-30"), "business_date"),
    "no offsets": (lambda g: g.update(utc_offsets=[]), "utc_offsets"),
    "offsets from later on": (lambda g: g["utc_offsets"].pop(0), "utc_offsets"),
    "offsets out of order": (lambda g: g["utc_offsets"].reverse(), "utc_offsets"),
    "an offset twice": (lambda g: g["utc_offsets"].append(g["utc_offsets"][-1]), "utc_offsets"),
    "no issuer": (lambda g: g["participants"].pop(), "expected one issuer and one operator, got operator"),
    "a third participant": (lambda g: g["participants"].append(g["participants"][0]), "one issuer and one operator"),
    "another role": (lambda g: g["participants"][0]["description"].update(role="miner"), "one issuer and one operator"),
    "an id twice": (lambda g: g["participants"][0].update(participant="central-bank"), "an id stands twice"),
    "a code twice": (lambda g: g["participants"][0]["description"].update(code="125"), "a code stands twice"),
    "a key twice": (lambda g: g["participants"][0]["keys"][0].update(x=g["log_key"]), "a key stands twice"),
    "a log key that is none": (lambda g: g.update(log_key="A" * 43), "public key A{43}"),
    "a key that is none": (lambda g: g["participants"][0]["keys"][0].update(x="A" * 43), "public key A{43}"),
    "a holder key": (lambda g: g["participants"][0]["keys"][0].update(use="holder"), "operator serves another use"),
    "no keys": (lambda g: g["participants"][0].update(keys=[]), r"\$\.participants\[0\]\.keys"),
    "a quorum out of reach": (
        lambda g: g["participants"][1]["description"].update(quorum=4),
        "central-bank has 3 signatories for a quorum of 4",
    ),
    "a suspended issuer": (
        lambda g: g["participants"][1]["description"].update(is_suspended=True),
        "central-bank cannot start suspended",
    ),
    "no tenge": (lambda g: g.update(assets=[]), "expected KZT and each asset once, got "),
    "an asset twice": (lambda g: g["assets"].append(g["assets"][0]), "each asset once, got KZT, KZT"),
    "a contra account twice": (
        lambda g: g["assets"].append(g["assets"][0] | {"asset": "BTC:aix-one"}),
        "share a contra account",
    ),
    "no issuer of an asset": (lambda g: g["assets"][0].update(issuer="bank-a"), "no participant bank-a to issue KZT"),
    "wrong check digits": (lambda g: g["assets"][0].update(contra="KZ00125CONTRAKZT0000"), "check digits"),
    "a fine scale": (lambda g: g["assets"][0].update(scale=9), r"\$\.assets\[0\]\.scale"),
    "an unclear cosigner": (
        lambda g: g["policies"]["issue"].update(cosigners=[{"threshold": 2}]),
        "a cosigner of issue must name",
    ),
}


def changed(change: Change) -> bytes:
    members = msgspec.json.decode(genesis_document())
    change(members)
    return canonical.encode(members)


@pytest.mark.parametrize("name", CHANGES)
def test_a_document_that_does_not_hold_is_refused_by_name(name: str) -> None:
    change, message = CHANGES[name]
    with pytest.raises(InvalidGenesis, match=message):
        read_genesis(changed(change))


def test_a_document_that_is_not_canonical_is_refused() -> None:
    with pytest.raises(InvalidGenesis, match="the genesis document does not hold: expected a permitted character"):
        read_genesis(genesis_document() + b"\n")


def test_another_version_of_the_rules_is_refused() -> None:
    with pytest.raises(InvalidGenesis, match="rulebook: expected version 2, got 1"):
        first_state(genesis_document(), Rulebook(2, CORE_RULEBOOK.modules))


@pytest.mark.parametrize(
    "change",
    [
        lambda g: g["policies"].update(teleport=g["policies"]["transfer"]),
        lambda g: g["assets"][0].update(issuance_kinds=["issue", "teleport"]),
    ],
)
def test_kinds_that_the_rules_do_not_know_are_named(change: Change) -> None:
    with pytest.raises(InvalidGenesis, match="the rulebook has no kinds teleport"):
        first_state(changed(change), CORE_RULEBOOK)


def test_the_network_id_is_name_and_digest() -> None:
    name, _, digest = network_id(genesis_document()).partition(":")
    assert (name, len(digest)) == ("test", 43)
    assert network_id(genesis_document(cap_per_day=1)) != network_id(genesis_document())


def test_the_digest_of_a_network_id_is_tagged() -> None:
    document = genesis_document()
    digest = hashlib.sha256(b"dt/v1/genesis\0" + document).digest()
    assert network_id(document) == f"test:{canonical.b64url(digest)}"


def test_the_first_state_is_what_the_document_says() -> None:
    state = first_state(genesis_document(cap_per_day=7), CORE_RULEBOOK)
    ledger = ledger_of(state)
    assert (ledger.business_date, ledger.rulebook, ledger.log_key) == ("2024-12-24", 1, key_of("log").public.kid)
    assert {name for name, _ in state.items(PARTICIPANTS)} == {"operator", "central-bank"}
    assert state.count(KEYS) == 7
    assert {kind for kind, _ in state.items(POLICIES)} == set(CORE_POLICIES)
    assert [account for account, _ in state.items(ACCOUNTS)] == [CONTRA_ACCOUNT]
    assert state.count(BALANCES) == 0
    cap = state.get(CAPS, "KZT")
    assert cap is not None
    assert cap.per_day == 7
    assert state.count(UTC_OFFSETS) == 1
