from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.pd import Code, PdDetector, PolicingResult, judge, segment_rows, segments
from testbed.detectors.observation import Role, Transfer
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import bottleneck_flow, flow_transfer, observation, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_pd_finds_a_policer_and_its_rate() -> None:
    flow, dropped = bottleneck_flow(kind="police", rate_bps=500e3, depth_bytes=30_000, packets=800)
    verdict = PdDetector().detect(observation(flow_transfer("t", flow)))
    assert (verdict.outcome, verdict.mechanism) == (YES, Mechanism.POLICING)
    assert verdict.rate_bps == pytest.approx(500e3, rel=0.1)
    first = int(np.flatnonzero(dropped)[0])
    assert verdict.burst_bytes == first * 1448


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ({"kind": "none"}, {Code.TOO_FEW_LOSSES}),
        ({"kind": "none", "loss": 0.05, "packets": 800}, {Code.FULLER_ON_LOSS, Code.LOSS_FILL_OUT_OF_RANGE}),
        (
            {"kind": "none", "loss": 0.01, "packets": 3000, "seed": 5},
            {Code.FULLER_ON_LOSS, Code.LOSS_FILL_OUT_OF_RANGE},
        ),
        ({"kind": "none", "loss": 0.002, "packets": 3000, "seed": 6}, {Code.LATE_LOSS}),
    ],
)
def test_pd_gives_the_reason_why_not(arguments: dict[str, float | str], codes: set[Code]) -> None:
    flow, _ = bottleneck_flow(**arguments)  # type: ignore[arg-type]
    (segment,) = segments(flow)
    assert judge(segment, cutoff=0).code in codes


def test_pd_prints_results_as_published() -> None:
    assert str(PolicingResult(Code.POLICED, 477191.9, 37648)) == "[code 0, 477191 bps, 37648 bytes burst]"
    assert str(PolicingResult(Code.INFLATED_RTT)) == "[code 7, null, null]"


def test_pd_needs_the_senders_packets() -> None:
    assert PdDetector().detect(observation(steady("t", rate_bps=1e6, duration_s=3))).outcome is OPEN


def test_pd_tells_content_from_line_by_the_controls() -> None:
    policed, _ = bottleneck_flow(kind="police", packets=800)
    clean, _ = bottleneck_flow(kind="none", packets=800)

    def specific(control: Transfer) -> bool | None:
        return PdDetector().detect(observation(flow_transfer("t", policed), control)).content_specific

    assert specific(flow_transfer("c", clean, role=Role.CONTROL)) is True
    assert specific(flow_transfer("c", policed, role=Role.CONTROL)) is False


def test_pd_numbers_segments_of_a_flow_without_data_not_at_all() -> None:
    flow, _ = bottleneck_flow(kind="none", packets=1)
    assert [row.segment for row in segment_rows((flow,))] == [0]
