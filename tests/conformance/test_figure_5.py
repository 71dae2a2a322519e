"""How many packets of Fig. 5 of X21 (`testbed.conformance.figure_5`) the meters of the profiles give their fate."""

from __future__ import annotations

from random import Random

import pytest

from testbed.conformance.figure_5 import PACKETS, mispredicted
from testbed.middlebox.meters import Beginning
from testbed.middlebox.meters.coarse_refill import CoarseRefill, CoarseRefillSpec
from testbed.middlebox.meters.token_bucket import TokenBucket
from tests.middlebox.build import NS_PER_S, profile


def test_the_figure_has_96_packets() -> None:
    assert PACKETS == 96


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
