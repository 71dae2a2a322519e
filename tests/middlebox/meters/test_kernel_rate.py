from __future__ import annotations

import pytest

from testbed.middlebox.meters.kernel_rate import burst_problem, kernel_rate


@pytest.mark.parametrize(
    ("rate_bps", "length", "ns"), [(8, 1, 10**9), (8_000, 1500, 1_500_000_000), (10**9, 1500, 12_000)]
)
def test_a_packet_takes_the_time_that_its_bytes_take(rate_bps: int, length: int, ns: int) -> None:
    mult, shift, _ = kernel_rate(rate_bps, 1)
    assert length * mult >> shift == pytest.approx(ns, abs=2)


def test_a_burst_is_told_in_ticks_of_64_ns_rounded_up() -> None:
    assert kernel_rate(8_000, 1).burst_ticks == -(-1_000_000 // 64)
    assert kernel_rate(8_000, 1).burst_ns == 15_625 * 64


@pytest.mark.parametrize("rate_bps", [0, -8, 140_001])
def test_a_rate_that_tc_cannot_hold_is_refused(rate_bps: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        kernel_rate(rate_bps, 1000)


def test_the_longest_burst_is_what_32_bits_of_ticks_hold() -> None:
    assert burst_problem(8, 274) is None
    assert burst_problem(8, 275) == "275 B is too large for tc at 8 bit/s; expected 274 B or less"
