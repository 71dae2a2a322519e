from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.enforcement.meters import (
    ByteQuota,
    CoarseRefill,
    CoarseRefillSpec,
    Meter,
    RandomPass,
    RandomPassSpec,
    TokenBucket,
    TokenBucketSpec,
)

NS_PER_S = 1_000_000_000

arrivals = st.lists(
    st.tuples(st.integers(0, 400_000_000), st.integers(40, 1500)), max_size=80
)  # gap before the packet in ns, length in bytes


def at_times(packets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Gaps to times."""
    times = accumulate(gap for gap, _ in packets)
    return [(now, length) for now, (_, length) in zip(times, packets, strict=True)]


def conforming_bytes(meter: Meter, *, offered_bps: int, length: int, seconds: int) -> int:
    gap = length * 8 * NS_PER_S // offered_bps
    return sum(length for now in range(0, seconds * NS_PER_S, gap) if meter.conforms(length, now))


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


@given(arrivals, st.integers(1, 10**9), st.integers(-(10**9), 10**9))
def test_coarse_refill_agrees_with_counting_every_refill(
    packets: list[tuple[int, int]], period_ns: int, phase_ns: int
) -> None:
    quantum, cap, opened = 3000, 4000, 17
    meter = CoarseRefill(
        quantum_bytes=quantum,
        period_s=period_ns / NS_PER_S,
        cap_bytes=cap,
        phase_s=phase_ns / NS_PER_S,
        opened_ns=opened,
    )
    level, refills = cap, 0
    for now, length in at_times(packets):
        due = max(0, (now - opened - phase_ns) // period_ns)
        level = min(cap, level + max(0, due - refills) * quantum)
        refills = max(refills, due)
        assert meter.conforms(length, now) == (length <= level)
        level -= length if length <= level else 0


def test_coarse_refill_starves_a_flow_for_about_a_second() -> None:
    # X21 Fig. 5: gaps of 0.65-1.0 s in which everything is lost.
    meter = CoarseRefill(quantum_bytes=17875, period_s=1.28, cap_bytes=19500)
    passing = [now for now in range(0, 10 * NS_PER_S, 10_000_000) if meter.conforms(1500, now)]
    gaps = [later - earlier for earlier, later in pairwise(passing)]
    assert max(gaps) > NS_PER_S


def test_coarse_refill_passes_100_to_115_kbps() -> None:
    meter = CoarseRefill(quantum_bytes=17875, period_s=1.28, cap_bytes=19500)
    passed = conforming_bytes(meter, offered_bps=500_000, length=1500, seconds=600)
    assert 100_000 <= passed * 8 / 600 <= 115_000


def test_refills_are_counted_from_the_opening_of_the_flow() -> None:
    spec = CoarseRefillSpec(quantum_bytes=1000, period_s=1.0, cap_bytes=1000, phase_s=0.25)
    meter = spec.start(opened_ns=5 * NS_PER_S)
    assert meter.conforms(1000, 5 * NS_PER_S)
    assert not meter.conforms(1, 6_250_000_000 - 1)
    assert meter.conforms(1000, 6_250_000_000)


@pytest.mark.parametrize(
    "spec",
    [
        TokenBucketSpec(rate_bps=140_000, burst_bytes=16384),
        CoarseRefillSpec(quantum_bytes=17875, period_s=1.28, cap_bytes=19500, phase_s=0.0),
    ],
)
def test_every_meter_starts_full_and_names_its_parameters(spec: TokenBucketSpec | CoarseRefillSpec) -> None:
    assert spec.start(NS_PER_S).conforms(16384, NS_PER_S)
    assert set(spec.parameters()) | {"start_bytes"} == {field.name for field in fields(spec)} | {"start_bytes"}


@pytest.mark.parametrize(("start_bytes", "after_s"), [(0, 2.4), (750, 1.2), (1500, 0.0)])
def test_a_bucket_may_start_with_less_than_it_holds(start_bytes: int, after_s: float) -> None:
    matched_ns = 1_000_000 * NS_PER_S
    bucket = TokenBucketSpec(rate_bps=5000, burst_bytes=1500, start_bytes=start_bytes).start(5, matched_ns=matched_ns)
    passed = next(tenth for tenth in range(100) if bucket.conforms(1500, matched_ns + tenth * NS_PER_S // 10))
    assert passed / 10 == pytest.approx(after_s)


@given(arrivals)
def test_no_meter_ever_passes_more_than_its_depth_and_refills(packets: list[tuple[int, int]]) -> None:
    meters: list[tuple[Meter, float, int]] = [
        (TokenBucket(140_000, 16384), 17500.0, 16384),
        (CoarseRefill(quantum_bytes=17875, period_s=1.28, cap_bytes=19500), 17875 / 1.28, 19500),
    ]
    for meter, bytes_per_s, depth in meters:
        passed = 0
        for now, length in at_times(packets):
            passed += length if meter.conforms(length, now) else 0
            assert passed <= depth + bytes_per_s * now / NS_PER_S + 1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_random_pass_passes_its_share(share: float) -> None:
    meter = RandomPassSpec(pass_share=share).start(0, Random(7))  # noqa: S311
    passed = sum(meter.conforms(1500, 0) for _ in range(10_000))
    assert passed == pytest.approx(10_000 * share, abs=150)


def test_random_pass_is_the_same_for_the_same_seed() -> None:
    runs = [
        [meter.conforms(1, 0) for _ in range(50)]
        for meter in (RandomPass(pass_share=0.5, random=Random(3)) for _ in range(2))  # noqa: S311
    ]
    assert runs[0] == runs[1]


@given(st.lists(st.integers(0, 1500), max_size=80), st.integers(0, 20_000))
def test_a_quota_passes_the_beginning_and_then_only_empty_packets(lengths: list[int], quota: int) -> None:
    meter = ByteQuota(quota)
    frozen, passed = False, 0
    for length in lengths:
        frozen = frozen or passed + length > quota
        assert meter.conforms(length, 0) == (not frozen or length == 0)
        passed += length
