"""Commitments: what stands in the log for a personal value, and the opening that is kept beside it (design D13)."""

import secrets
from dataclasses import dataclass
from typing import Final

from ledger.crypto import digest
from ledger.crypto.canonical import b64url
from ledger.units import DigestField

SALT_BYTES: Final = 16
"""Random bytes of a salt: without it, a name or an IIN would be found by trying all of them."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What shows that a commitment is to a value. Whoever erases it makes the commitment say nothing for ever."""

    salt: bytes
    """Sixteen random bytes, of this commitment alone."""
    value: str

    def commitment(self) -> DigestField:
        """Return the commitment that this opens."""
        return b64url(digest.commitment(self.salt, self.value.encode()))

    def to_json(self) -> dict[str, str]:
        """Return the opening as the annex of a transaction takes it (``POST /v1/transactions/{id}/annex``)."""
        return {"salt": b64url(self.salt), "value": self.value}


def commitment(value: str) -> tuple[DigestField, Opening]:
    """Return a fresh commitment to a value, with its opening; two commitments to one value look unrelated."""
    opening = Opening(salt=secrets.token_bytes(SALT_BYTES), value=value)
    return opening.commitment(), opening
