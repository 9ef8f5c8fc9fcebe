"""References that carry their time."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from ledger.model.transactions import reference_time_us
from ledger.units import Reference
from tests.book import reference_at


def test_the_example_of_rfc_9562_has_its_time() -> None:
    # Appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00.
    assert reference_time_us(Reference("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")) == 1_645_557_742_000_000


@given(time_ms=st.integers(0, 2**48 - 1), rest=st.integers(0, 2**62 - 1), more=st.integers(0, 2**12 - 1))
def test_the_time_of_a_reference_is_that_of_its_first_48_bits(time_ms: int, rest: int, more: int) -> None:
    value = uuid.UUID(int=time_ms << 80 | 7 << 76 | more << 64 | 2 << 62 | rest)
    assert reference_time_us(Reference(str(value))) == time_ms * 1_000


@given(time_us=st.integers(0, 2**53 - 1))
def test_a_reference_made_at_a_time_reads_back_to_the_millisecond(time_us: int) -> None:
    assert reference_time_us(reference_at(time_us, 1)) == time_us // 1_000 * 1_000
