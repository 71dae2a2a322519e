"""Targets beside their controls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from testbed.detectors.tools.evidence import Counted, Evidence
from testbed.detectors.tools.side_by_side import SideBySide, least, of_one_server, total
from tests.detectors.build import bottleneck_flow, flow_transfer, steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.detectors.observation import Transfer


def side_by_side(targets: list[Transfer], controls: list[Transfer]) -> SideBySide:
    others = tuple(Evidence(each) for each in controls)
    return SideBySide(tuple((Evidence(each), others) for each in targets))


def speeds(target_bps: list[float], control_bps: list[float]) -> SideBySide:
    targets, controls = (
        [
            replace(steady(f"{name}{number}", rate_bps=rate, duration_s=8), started_s=number * 10.0)
            for number, rate in enumerate(side)
        ]
        for name, side in (("t", target_bps), ("c", control_bps))
    )
    return side_by_side(targets, controls)


def counting(counts: dict[str, tuple[int, int]]) -> Callable[[Evidence], Counted]:
    return lambda each: Counted(*counts[each.transfer.id])


PAIRS = speeds([1e6, 1e6], [1e6, 1e6])


@pytest.mark.parametrize(
    ("counts", "exceeds"),
    [
        ({"t0": (10, 300), "t1": (8, 300), "c0": (0, 300), "c1": (0, 300)}, True),
        ({"t0": (3, 300), "t1": (2, 300), "c0": (0, 300), "c1": (0, 300)}, False),  # so few may be chance
        ({"t0": (30, 300), "t1": (0, 300), "c0": (0, 300), "c1": (0, 300)}, False),  # in one of them alone
        (
            {"t0": (300, 9000), "t1": (300, 9000), "c0": (200, 9000), "c1": (200, 9000)},
            False,
        ),  # certain, but not by far
        ({"t0": (30, 300), "t1": (30, 300), "c0": (0, 0), "c1": (0, 0)}, False),  # nothing is known of the control
        ({"t0": (0, 300), "t1": (0, 300), "c0": (0, 300), "c1": (0, 300)}, False),
    ],
)
def test_events_exceed_by_far_by_more_than_chance_and_in_each(
    counts: dict[str, tuple[int, int]], *, exceeds: bool
) -> None:
    assert PAIRS.exceeds(counting(counts), 0.002) is exceeds


def test_the_contrast_is_that_of_the_middle_pair() -> None:
    assert speeds([1e6, 1e6, 1e5], [2e6, 2e6, 2e6]).contrast == pytest.approx(2.0, rel=0.1)


def test_a_longer_way_is_another_way() -> None:
    near, far = (replace(steady("t", rate_bps=1e6, duration_s=5), connect_s=way_s) for way_s in (0.05, 0.2))
    control = replace(near, id="c")
    assert side_by_side([near], [control]).is_same_way
    assert not side_by_side([far], [control]).is_same_way
    assert side_by_side([far], [control]).farther == pytest.approx(4.0)


def test_who_lost_and_waited_no_more_is_unhindered() -> None:
    def sent(name: str, **bottleneck: float | str) -> Transfer:
        flow, _ = bottleneck_flow(**bottleneck)  # type: ignore[arg-type]
        return flow_transfer(name, flow)

    fast = sent("c", kind="none", rate_bps=5e6)
    assert side_by_side([sent("t", kind="none", rate_bps=3e5)], [fast]).is_unhindered
    assert not side_by_side([sent("t", kind="none", rate_bps=3e5, loss=0.05)], [fast]).is_unhindered
    assert not side_by_side([sent("t", kind="queue", rate_bps=3e5)], [fast]).is_unhindered
    assert not speeds([1e5], [1e6]).is_unhindered, "nothing was captured"


def test_later_is_told_by_two_handshakes_of_each_and_not_by_one() -> None:
    def answered(name: str, after_s: float) -> Transfer:
        return replace(steady(name, rate_bps=1e6, duration_s=5), connect_s=0.05, handshake_s=after_s)

    targets, controls = [answered("t0", 0.4), answered("t1", 0.5)], [answered("c0", 0.05), answered("c1", 0.1)]
    assert side_by_side(targets, controls).later_s == pytest.approx(0.3)
    assert side_by_side(targets[:1], controls).later_s is None


def test_servers_are_one_where_their_addresses_are_or_none_is_known() -> None:
    flow, _ = bottleneck_flow(kind="none", packets=20)
    here = Evidence(flow_transfer("t", flow))
    there = Evidence(flow_transfer("c", replace(flow, b=("203.0.113.9", 443))))
    unknown = Evidence(steady("u", rate_bps=1e6, duration_s=5))
    assert of_one_server(here, [here, there, unknown]) == [here, unknown]


def test_sums() -> None:
    assert total([Counted(1, 10), Counted(2, 20)]) == Counted(3, 30)
    assert (least([None, 2.0, 1.0]), least([None])) == (1.0, None)
