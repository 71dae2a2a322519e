from __future__ import annotations

import pytest

from testbed.middlebox.meters import METERS
from testbed.middlebox.meters.coarse_refill import CoarseRefillSpec
from testbed.middlebox.meters.debt_bucket import DebtBucketSpec
from testbed.middlebox.meters.meter import MeterSpec, Policer
from testbed.middlebox.meters.packet_window import PacketWindowSpec
from testbed.middlebox.meters.shaper import ShaperSpec
from testbed.middlebox.meters.sliding_window import SlidingWindowSpec
from testbed.middlebox.meters.token_bucket import TokenBucketSpec
from testbed.middlebox.meters.two_buckets import TwoBucketsSpec
from tests.middlebox.meters.build import NS_PER_S, beginning


def test_each_module_of_the_folder_has_the_meter_of_its_name() -> None:
    assert list(METERS) == [
        "byte_quota", "coarse_refill", "debt_bucket", "packet_quota", "packet_window", "random_pass", "shaper",
        "sliding_window", "token_bucket", "two_buckets",
    ]  # fmt: skip
    assert all(METERS[kind].__module__ == f"testbed.middlebox.meters.{kind}" for kind in METERS)


def test_a_policer_lets_a_packet_pass_at_once_or_not_at_all() -> None:
    class Small(Policer):
        def conforms(self, length: int, now_ns: int) -> bool:
            return length < now_ns

    assert (Small().departure_ns(4, 5), Small().departure_ns(6, 5)) == (5, None)


@pytest.mark.parametrize("kind", METERS)
def test_every_meter_says_what_it_limits(kind: str) -> None:
    assert METERS[kind].limits in {"rate", "amount", "share"}


@pytest.mark.parametrize(("spec", "rate_bps"), [
    (TokenBucketSpec(rate_bps=140_000, burst_bytes=16_384), 140_000),
    (ShaperSpec(rate_bps=130_000, burst_bytes=3_000, queue_bytes=60_000), 130_000),
    (CoarseRefillSpec(quantum_bytes=16_000, period_s=1.0, cap_bytes=16_000, phase_s=0.0), 128_000),
    (SlidingWindowSpec(limit_bytes=15_000, window_s=1.0), 120_000),
    (PacketWindowSpec(limit_bytes=15_000, window_s=1.0), 120_000),
    (DebtBucketSpec(rate_bps=140_000, burst_bytes=15_000, debt_bytes=1), 140_000),
    (TwoBucketsSpec(first_rate_bps=160_000, first_burst_bytes=9_000, rate_bps=140_000, burst_bytes=15_000), 140_000),
], ids=lambda value: getattr(value, "kind", value))  # fmt: skip
def test_a_meter_passes_in_the_long_run_what_it_says(spec: MeterSpec, rate_bps: float) -> None:
    """Of a sender that never stops; where dropped packets are charged, of one that offers hardly more than the rate."""
    assert spec.long_run_bps == rate_bps
    meter = spec.start(beginning())
    gap_ns = round(500 * 8 * NS_PER_S / rate_bps / (0.99 if spec.kind == "debt_bucket" else 2))
    passed = sum(meter.departure_ns(500, at) is not None for at in range(0, 200 * NS_PER_S, gap_ns))
    assert passed * 500 * 8 / 200 == pytest.approx(rate_bps, rel=0.03)


@pytest.mark.parametrize("kind", ["byte_quota", "packet_quota", "random_pass"])
def test_what_limits_no_rate_has_none(kind: str) -> None:
    assert METERS[kind].long_run_bps is MeterSpec.long_run_bps
    assert MeterSpec().long_run_bps is None
