"""What a topology's parameters may be, and what is refused."""

from __future__ import annotations

import pytest

from testbed.guest.network.parameter import parse_count, parse_link_delay, parse_link_rate


@pytest.mark.parametrize("value", [0, 7, "7", 999_999])
def test_a_count_is_a_whole_number(value: object) -> None:
    assert parse_count(value) == int(str(value))


@pytest.mark.parametrize("value", [-1, 1.0, "-1", "1.5", "", True, None, [1]])
def test_anything_else_is_no_count(value: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number, got"):
        parse_count(value)


@pytest.mark.parametrize(("text", "rate_bps"), [(0, 0), ("0 bit/s", 0), ("1 kbit/s", 1000), ("30 Gbit/s", 30 * 10**9)])
def test_a_link_has_a_rate_that_the_kernel_can_count_or_none(text: object, rate_bps: int) -> None:
    assert parse_link_rate(text) == rate_bps


@pytest.mark.parametrize(("text", "seconds"), [(0, 0.0), ("1 ns", 1e-9), ("60 s", 60.0)])
def test_a_link_has_a_delay(text: object, seconds: float) -> None:
    assert parse_link_delay(text) == seconds


@pytest.mark.parametrize("text", ["999 bit/s", "31 Gbit/s", "fast"])
def test_a_rate_that_the_kernel_cannot_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_link_rate(text)


def test_a_packet_is_under_way_for_a_minute_at_most() -> None:
    with pytest.raises(ValueError, match="at most 60 s"):
        parse_link_delay("61 s")
