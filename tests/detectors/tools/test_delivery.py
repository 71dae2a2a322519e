from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.tools.delivery import Fates, drain, fates
from tests.detectors.build import bottleneck_flow, flow_transfer


def fates_of(times: list[float], delays: list[float], size: float = 1500.0) -> Fates:
    return Fates(
        times_s=np.array(times),
        sizes=np.full(len(times), size),
        lost=np.isnan(delays),
        delays_s=np.array(delays),
        paired=True,
    )


def served(gaps_s: list[float]) -> Fates:
    """A packet that did not wait, then packets sent all at once and served one after the other."""
    arrivals = 0.02 + np.cumsum(gaps_s)
    return fates_of([0.0] * (len(gaps_s) + 1), [0.02, *arrivals.tolist()])


@given(rate_bps=st.floats(1e4, 1e8), count=st.integers(40, 200))
def test_a_queue_of_constant_rate_drains_at_that_rate_without_spread(rate_bps: float, count: int) -> None:
    found = drain(served([12_000 / rate_bps] * count), waited_s=0.0)
    assert found is not None
    assert found.rate_bps == pytest.approx(rate_bps)
    assert found.spread == pytest.approx(0.0, abs=1e-6)


def test_a_queue_shared_with_others_drains_unsteadily() -> None:
    found = drain(served([0.01] * 40 + [0.05] * 40), waited_s=0.05)
    assert found is not None
    assert found.spread > 0.5


@pytest.mark.parametrize(
    "found",
    [
        fates_of([], []),
        fates_of([0.0, 1.0], [float("nan")] * 2),
        fates_of([float(t) for t in range(200)], [0.02] * 200),
        served([0.1] * 20),
    ],
    ids=["nothing sent", "everything lost", "nobody waited", "too few"],
)
def test_without_a_queue_there_is_no_drain(found: Fates) -> None:
    assert drain(found, waited_s=0.05) is None


def test_losses_are_inferred_as_they_happened() -> None:
    flow, dropped = bottleneck_flow(kind="police")
    found = fates(flow_transfer("t", flow))
    assert found is not None
    assert np.array_equal(found.lost, dropped)
