import pytest

from wallet_api.bench.options import Options, read_sizes
from wallet_api.bench.scale import QUICK, TEN_MILLION, USUAL, scale_of, sizes_of_run


def test_sizes_are_read_with_thousands_and_millions() -> None:
    assert read_sizes("64, 10k,2M") == (64, 10_000, 2_000_000)
    assert read_sizes("") == ()


@pytest.mark.parametrize("text", ["0", "k", "10k,", "1e6", "-1", "10g"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected sizes"):
        read_sizes(text)


def test_the_sizes_are_the_usual_ones_unless_asked_otherwise() -> None:
    assert scale_of(Options()) == USUAL
    assert scale_of(Options(is_quick=True)) == QUICK


def test_a_full_run_adds_ten_million_entries() -> None:
    assert scale_of(Options(is_full=True)).sizes == (*USUAL.sizes, TEN_MILLION)


def test_what_is_asked_for_comes_first() -> None:
    scale = scale_of(Options(is_full=True, runs=7, connections=9, sizes=(30, 10, 10)))
    assert (scale.runs, scale.connections, scale.sizes) == (7, 9, (10, 30))


def test_the_largest_size_is_measured_in_the_last_run_only() -> None:
    scale = scale_of(Options(is_full=True, runs=2))
    assert sizes_of_run(scale, 0) == USUAL.sizes
    assert sizes_of_run(scale, 1) == (*USUAL.sizes, TEN_MILLION)
