"""The fate of each packet in Fig. 5 of X21 (Xue et al., IMC 2021, https://doi.org/10.1145/3487552.3487858).

Digitised by eye from the figure, about 5 % in time and one packet in count. Times are seconds; a segment carries 1460
bytes, counted as 1500 on the wire (12 kbit). The round trip is about 0.19 s.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.meters import Beginning
from testbed.middlebox.meters.coarse_refill import CoarseRefill, CoarseRefillSpec
from testbed.middlebox.meters.token_bucket import TokenBucket
from tests.middlebox.build import NS_PER_S, profile

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Policer

# (send time, delivered, dropped). The first 120-130 kbit between 0.19 and 0.38 s all arrive: 11 packets.
EVENTS = [
    (0.19, 3, 0),
    (0.28, 4, 0),
    (0.38, 4, 0),
    (0.565, 2, 16),
    (0.60, 0, 2),
    (0.75, 0, 4),
    (1.07, 0, 1),
    (1.585, 1, 0),
    (1.96, 2, 0),
    (2.15, 4, 0),
    (2.34, 3, 5),
    (2.53, 0, 6),
    (3.03, 1, 0),
    (3.22, 2, 0),
    (3.41, 4, 0),
    (3.60, 5, 4),
    (3.79, 0, 5),
    (4.26, 3, 0),
    (4.45, 2, 0),
    (4.64, 4, 0),
    (4.84, 4, 0),
    (5.03, 0, 4),
    (5.21, 1, 0),
]
PACKETS = 96
SEGMENT_BYTES = 1500


def mispredicted(meter: Policer) -> int:
    """How many packets the meter gives another fate. Within one send time the order of fates is not known."""
    wrong = 0
    for t, delivered, dropped in EVENTS:
        passed = sum(meter.conforms(SEGMENT_BYTES, round(t * NS_PER_S)) for _ in range(delivered + dropped))
        wrong += abs(passed - delivered)
    return wrong


def test_the_figure_has_96_packets() -> None:
    assert sum(delivered + dropped for _, delivered, dropped in EVENTS) == PACKETS


def coarse_refill(opened_s: float = 0.0) -> CoarseRefill:
    """The meter as the profiles have it."""
    metering = profile(meter__kind="coarse_refill").meter
    assert metering is not None
    assert isinstance(metering.spec, CoarseRefillSpec)
    return metering.spec.start(Beginning(round(opened_s * NS_PER_S), 0, Random(1)))  # noqa: S311


def test_coarse_refill_gives_at_least_92_packets_their_fate() -> None:
    assert PACKETS - mispredicted(coarse_refill()) >= 92


@pytest.mark.parametrize("period_s", [1.27, 1.28, 1.29, 1.30, 1.31, 1.32])
def test_coarse_refill_agrees_over_the_periods_that_fit(period_s: float) -> None:
    meter = CoarseRefill(quantum_bytes=17875, period_s=period_s, cap_bytes=19500)
    assert PACKETS - mispredicted(meter) >= 92


@pytest.mark.parametrize("opened_s", [0.0, 0.05, 0.1, 0.19])
def test_coarse_refill_agrees_whenever_the_flow_was_opened_within_a_round_trip(opened_s: float) -> None:
    assert PACKETS - mispredicted(coarse_refill(opened_s)) >= 92


@pytest.mark.parametrize(
    ("rate_bps", "burst_bytes", "wrong"),
    [(140_000, 16_384, 19), (140_000, 11_250, 14), (140_000, 11_000, 13)],
    ids=["as in the profiles", "best fit of the published figure", "best fit"],
)
def test_token_bucket_gives_many_packets_another_fate(rate_bps: int, burst_bytes: int, wrong: int) -> None:
    # Reported, not mended: a bucket that refills continuously cannot lose everything until 1.07 s and then deliver 10
    # packets by 2.34 s.
    assert mispredicted(TokenBucket(rate_bps, burst_bytes)) == wrong
