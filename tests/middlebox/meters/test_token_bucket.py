from __future__ import annotations

from dataclasses import fields
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.meters.token_bucket import TokenBucket, TokenBucketSpec
from tests.middlebox.build import problems
from tests.middlebox.meters.build import NS_PER_S, arrivals, at_times, beginning, conforming_bytes


class KernelPolice:
    """net/sched/act_police.c of Linux 6.12 once more, line by line in its own words and types."""

    def __init__(self, rate: int, burst_ticks: int) -> None:
        self.mult, self.shift = 1, 0
        factor = NS_PER_S
        while True:
            self.mult = (factor // rate) % 2**32
            if self.mult & (1 << 31) or factor & (1 << 63):
                break
            factor = (factor << 1) % 2**64
            self.shift += 1
        self.tcfp_burst = burst_ticks << 6
        self.tcfp_toks = self.tcfp_burst
        self.tcfp_t_c = 0

    def act(self, pkt_len: int, now: int) -> bool:
        toks = min(now - self.tcfp_t_c, self.tcfp_burst)
        toks += self.tcfp_toks
        toks = min(toks, self.tcfp_burst)
        toks -= (pkt_len * self.mult) >> self.shift
        if toks >= 0:
            self.tcfp_t_c = now
            self.tcfp_toks = toks
            return True
        return False


@given(arrivals, st.integers(1, 10**7), st.integers(1, 10**5))
def test_token_bucket_decides_as_the_kernel_does(packets: list[tuple[int, int]], rate: int, burst: int) -> None:
    bucket = TokenBucket(rate * 8, burst)
    kernel = KernelPolice(rate, bucket.burst_ticks)
    for now, length in at_times(packets):
        assert bucket.conforms(length, now) == kernel.act(length, now)


@given(arrivals)
def test_token_bucket_is_within_a_packet_of_the_ideal_bucket(packets: list[tuple[int, int]]) -> None:
    rate, burst = Fraction(17500), Fraction(16384)
    bucket = TokenBucket(140_000, 16384)
    tokens, last = burst, 0
    for now, length in at_times(packets):
        tokens = min(burst, tokens + rate * (now - last) / NS_PER_S)
        last = now
        conforms = bucket.conforms(length, now)
        if abs(tokens - length) > Fraction(1, 100):  # the kernel rounds: at the very edge either may be right
            assert conforms == (tokens >= length)
        if conforms:
            tokens -= length


@pytest.mark.parametrize("rate_bps", [128_000, 140_000, 5_200, 1_000_000, 512_000])
@pytest.mark.parametrize("length", [1500, 552, 52])
def test_token_bucket_passes_its_rate_within_one_percent(rate_bps: int, length: int) -> None:
    burst = 16384
    passed = conforming_bytes(TokenBucket(rate_bps, burst), offered_bps=3 * rate_bps, length=length, seconds=300)
    assert (passed - burst) * 8 / 300 == pytest.approx(rate_bps, rel=0.01)


def test_a_full_token_bucket_passes_its_burst_at_once_and_no_more() -> None:
    bucket = TokenBucket(140_000, 16384)
    passed = sum(bucket.conforms(1, 0) for _ in range(20_000))
    assert passed in {16384, 16385}


def test_a_packet_that_does_not_conform_costs_nothing() -> None:
    bucket = TokenBucket(8_000, 1000)
    assert bucket.conforms(600, 0)
    assert not any(bucket.conforms(600, 0) for _ in range(50))
    assert bucket.conforms(400, 0)


@pytest.mark.parametrize("rate_bps", [0, -8, 140_001])
def test_a_rate_that_tc_cannot_hold_is_refused(rate_bps: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        TokenBucket(rate_bps, 1000)


@pytest.mark.parametrize(("start_bytes", "after_s"), [(0, 2.4), (750, 1.2), (1500, 0.0)])
def test_a_bucket_may_start_with_less_than_it_holds(start_bytes: int, after_s: float) -> None:
    matched_ns = 1_000_000 * NS_PER_S
    bucket = TokenBucketSpec(rate_bps=5000, burst_bytes=1500, start_bytes=start_bytes).start(beginning(5, matched_ns))
    passed = next(tenth for tenth in range(100) if bucket.conforms(1500, matched_ns + tenth * NS_PER_S // 10))
    assert passed / 10 == pytest.approx(after_s)


def test_a_bucket_starts_full_and_names_its_parameters() -> None:
    spec = TokenBucketSpec(rate_bps=140_000, burst_bytes=16384)
    assert spec.start(beginning(NS_PER_S)).conforms(16384, NS_PER_S)
    assert spec.parameters() == {"rate_bps": 140_000, "burst_bytes": 16384}
    assert set(spec.parameters()) | {"start_bytes"} == {field.name for field in fields(spec)}


@given(arrivals)
def test_it_never_passes_more_than_its_depth_and_refills(packets: list[tuple[int, int]]) -> None:
    bucket, passed = TokenBucket(140_000, 16384), 0
    for now, length in at_times(packets):
        passed += length if bucket.conforms(length, now) else 0
        assert passed <= 16384 + 17500 * now / NS_PER_S + 1


def test_only_a_bucket_that_starts_full_can_be_the_kernels() -> None:
    spec = TokenBucketSpec(rate_bps=140_000, burst_bytes=16384)
    assert spec.kernel_policer() is spec
    assert TokenBucketSpec(rate_bps=140_000, burst_bytes=16384, start_bytes=0).kernel_policer() is None


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"meter__token_bucket__rate": "7 bit/s"}, "meter.token_bucket.rate"),
        ({"meter__token_bucket__rate": "140001 bit/s"}, "meter.token_bucket.rate"),
        ({"meter__token_bucket__rate": 140_000}, "meter.token_bucket.rate"),
        ({"meter__token_bucket__rate": "999999999999999 Gbit/s"}, "meter.token_bucket.rate"),
        ({"meter__token_bucket": {"rate": "8 bit/s", "burst": "275 B"}}, "meter.token_bucket.burst"),
        ({"meter__token_bucket__start": "17 kB"}, "meter.token_bucket.start"),
        ({"meter__token_bucket__burst": "0 B"}, "meter.token_bucket.burst"),
        ({"meter__counts": "payload"}, "meter.counts"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused_with_its_key(changes: dict[str, object], key: str) -> None:
    assert list(problems(**changes)) == [key]


def test_the_largest_burst_that_the_kernel_can_hold_is_accepted() -> None:
    assert problems(meter__token_bucket={"rate": "8 bit/s", "burst": "274 B"}) == {}
