"""Exports in the tests' hands: verified, or found at fault."""

import io
from typing import Any, Final

import pytest

from ledger.log.verify import Report, VerificationFault, verify_export
from tests.book import CORE_RULEBOOK

RULEBOOKS: Final = {1: CORE_RULEBOOK}


def verified(export: bytes, **options: Any) -> Report:
    """What a verification that must succeed says."""
    options.setdefault("rulebooks", RULEBOOKS)
    return verify_export(io.BytesIO(export), **options)


def fault_in(export: bytes, **options: Any) -> str:
    """The fault that verification must find."""
    with pytest.raises(VerificationFault) as caught:
        verified(export, **options)
    return str(caught.value)
