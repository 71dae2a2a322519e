from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.meters.packet_window import PacketWindow, PacketWindowSpec
from tests.middlebox.meters.build import NS_PER_S, arrivals, at_times, beginning


@given(arrivals, st.integers(1, 10**9), st.integers(1, 6000))
def test_no_window_passes_more_than_the_limit_and_none_drops_what_fits(
    packets: list[tuple[int, int]], window_ns: int, limit: int
) -> None:
    meter = PacketWindow(limit_bytes=limit, window_s=window_ns / NS_PER_S)
    opened, passed = None, 0
    for now, length in at_times(packets):
        if opened is None or now - opened >= window_ns:
            opened, passed = now, 0
        fits = passed + length <= limit
        assert meter.conforms(length, now) == fits
        passed += length if fits else 0


def test_the_next_window_waits_for_a_packet() -> None:
    meter = PacketWindow(limit_bytes=1500, window_s=1.0)
    assert meter.conforms(1500, 0)
    assert not meter.conforms(1500, NS_PER_S - 1)
    late = 5 * NS_PER_S // 2  # in the middle of what would be a window on a clock
    assert meter.conforms(1500, late)
    assert not meter.conforms(1, late + NS_PER_S - 1)
    assert meter.conforms(1500, late + NS_PER_S)


def test_it_names_its_parameters() -> None:
    spec = PacketWindowSpec(limit_bytes=1500, window_s=0.95)
    assert spec.start(beginning(NS_PER_S)).conforms(1500, NS_PER_S)
    assert spec.parameters() == {"limit_bytes": 1500, "window_s": 0.95}
