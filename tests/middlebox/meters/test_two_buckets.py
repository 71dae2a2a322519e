from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from testbed.middlebox.meters.token_bucket import TokenBucket
from testbed.middlebox.meters.two_buckets import TwoBuckets, TwoBucketsSpec
from testbed.middlebox.profile.metering import MeterChoice
from tests.middlebox.meters.build import NS_PER_S, arrivals, at_times, beginning, conforming_bytes

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import MeterSpec

SPEC = TwoBucketsSpec(first_rate_bps=400_000, first_burst_bytes=3000, rate_bps=80_000, burst_bytes=16_000)


@given(arrivals)
def test_what_passes_the_first_meets_the_second(packets: list[tuple[int, int]]) -> None:
    meter = SPEC.start(beginning())
    first, second = TokenBucket(400_000, 3000), TokenBucket(80_000, 16_000)
    for now, length in at_times(packets):
        assert meter.conforms(length, now) == (first.conforms(length, now) and second.conforms(length, now))


def test_a_burst_is_that_of_the_smaller_bucket_and_the_rate_that_of_the_narrower() -> None:
    meter = SPEC.start(beginning())
    assert [meter.conforms(1500, 0) for _ in range(3)] == [True, True, False]
    passed = conforming_bytes(SPEC.start(beginning()), offered_bps=2_000_000, length=1500, seconds=100)
    assert passed * 8 / 100 == pytest.approx(80_000, rel=0.03)


def test_the_first_is_charged_for_what_the_second_drops() -> None:
    meter = TwoBuckets(TokenBucket(8_000, 3000), TokenBucket(8_000_000, 1500))
    assert meter.conforms(1500, 0)
    assert not meter.conforms(1500, 1)  # the second's bucket is empty, and the first has paid
    assert not meter.conforms(1500, NS_PER_S // 10)


@pytest.mark.parametrize("key", ["first_burst", "burst"])
def test_a_burst_that_the_kernel_cannot_count_is_refused(key: str) -> None:
    plain = {"first_rate_bps": 8, "first_burst_bytes": 1, "rate_bps": 8, "burst_bytes": 1, f"{key}_bytes": 10**12}
    spec: MeterSpec = TwoBucketsSpec.from_dict(plain)
    choice = MeterChoice(kind="two_buckets", counts="ip_length", described={"two_buckets": spec})
    assert [each[0] for each in choice.problems()] == [f"two_buckets.{key}"]
