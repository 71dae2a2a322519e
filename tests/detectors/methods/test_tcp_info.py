from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.tcp_info import TcpInfoDetector, limits
from testbed.detectors.observation import TcpInfo, Transfer
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import observation, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def info(*, busy: float = 9.9, limited: float = 0.0, retrans: float = 0.0, rtt: float = 0.05) -> TcpInfo:
    def column(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([value / 2, value])

    return TcpInfo(
        times_s=np.array([5.0, 10.0]),
        busy_s=column(busy),
        rwnd_limited_s=column(limited),
        sndbuf_limited_s=column(0.0),
        bytes_sent=column(1e6),
        bytes_retrans=column(retrans * 1e6),
        rtt_s=np.array([rtt, rtt]),
        min_rtt_s=np.array([0.05, 0.05]),
        delivery_rate_bps=np.array([1e6, 1e6]),
    )


@pytest.mark.parametrize(
    ("sample", "outcome", "mechanism"),
    [
        (info(retrans=0.2), YES, Mechanism.POLICING),
        (info(retrans=0.2, rtt=0.2), NO, None),
        (info(retrans=0.02), NO, None),
        (info(rtt=0.3), OPEN, None),
        (info(busy=5.0, retrans=0.2), NO, Mechanism.APP_LIMITED),
        (info(limited=5.0, retrans=0.2), NO, Mechanism.APP_LIMITED),
    ],
)
def test_tcp_info_gates(sample: TcpInfo, outcome: Outcome, mechanism: Mechanism | None) -> None:
    base = steady("t", rate_bps=1e6, duration_s=10)
    judged = Transfer(id="t", times_s=base.times_s, bytes=base.bytes, tcp_info=sample)
    verdict = TcpInfoDetector().detect(observation(judged))
    assert (verdict.outcome, verdict.mechanism) == (outcome, mechanism)


def test_tcp_info_without_a_byte_sent_has_no_limits() -> None:
    empty = TcpInfo(**{name: np.zeros(1) for name in TcpInfo.__slots__})
    assert limits(empty) is None
