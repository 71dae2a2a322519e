from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.detectors.tools.bucket_fit import fit_bucket
from testbed.detectors.tools.coarse_refill import COARSE_AGREEMENT, fit_coarse_refill
from testbed.detectors.tools.delivery import fates
from tests.detectors.build import bottleneck_flow, flow_transfer


@pytest.mark.parametrize("kind", ["police", "queue", "none"])
def test_other_losses_do_not_look_filled_in_lumps(kind: str) -> None:
    flow, _ = bottleneck_flow(kind=kind, packets=600, loss=0.1 if kind == "none" else 0.0)
    found = fates(flow_transfer("t", flow))
    assert found is not None
    lumps, continuous = fit_coarse_refill(found), fit_bucket(found)
    assert continuous is not None
    assert lumps is None or lumps.agreement < max(COARSE_AGREEMENT, continuous.agreement)


def test_a_transfer_too_short_for_five_refills_is_not_fitted() -> None:
    flow, dropped = bottleneck_flow(kind="coarse", rate_bps=140e3, depth_bytes=24_000, packets=60)
    assert dropped.any()
    found = fates(flow_transfer("t", flow))
    assert found is not None
    short = replace(found, times_s=found.times_s * 0.01)
    assert fit_coarse_refill(short) is None
