"""Commitments: the opening shows the value, the commitment alone does not."""

import re

from ledger.crypto import digest
from ledger.crypto.canonical import b64url
from wallet_api.client import Opening, commitment


def test_an_opening_opens_its_commitment() -> None:
    committed, opening = commitment("860101300123")

    assert opening.commitment() == committed
    assert committed == b64url(digest.commitment(opening.salt, b"860101300123"))
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", committed)
    assert len(opening.salt) == 16
    assert Opening(salt=opening.salt, value="860101300124").commitment() != committed


def test_two_commitments_to_one_value_look_unrelated() -> None:
    first, second = commitment("Қазақстан"), commitment("Қазақстан")

    assert first[0] != second[0]
    assert first[1].salt != second[1].salt
