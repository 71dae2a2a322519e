from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.meters.debt_bucket import DebtBucket, DebtBucketSpec
from tests.middlebox.meters.build import NS_PER_S, arrivals, at_times, beginning, conforming_bytes


@given(arrivals, st.integers(8, 10**6), st.integers(40, 4000), st.integers(0, 6000))
def test_it_agrees_with_exact_fractions(packets: list[tuple[int, int]], rate_bps: int, burst: int, debt: int) -> None:
    meter = DebtBucket(rate_bps=rate_bps, burst_bytes=burst, debt_bytes=debt)
    tokens, last = Fraction(burst), 0
    for now, length in at_times(packets):
        tokens = min(Fraction(burst), tokens + Fraction((now - last) * rate_bps, 8 * NS_PER_S))
        last = now
        fits = length <= tokens
        assert meter.conforms(length, now) == fits
        tokens = tokens - length if fits else max(tokens - length, Fraction(-debt))


def test_who_goes_on_sending_gets_nothing_and_who_waits_pays_the_debt_first() -> None:
    meter = DebtBucket(rate_bps=80_000, burst_bytes=10_000, debt_bytes=20_000)
    assert conforming_bytes(meter, offered_bps=800_000, length=1000, seconds=60) < 15_000
    owed_s = 2  # 20 kB at 10 kB a second
    assert not meter.conforms(1000, (60 + owed_s) * NS_PER_S)


def test_without_debt_a_dropped_packet_still_empties_the_bucket() -> None:
    meter = DebtBucket(rate_bps=8_000, burst_bytes=1500, debt_bytes=0)
    assert meter.conforms(1000, 0)
    assert not meter.conforms(1000, 0)
    assert not meter.conforms(500, 0)  # there had been so many


def test_it_starts_full_at_the_match() -> None:
    spec = DebtBucketSpec(rate_bps=8_000, burst_bytes=1500, debt_bytes=10)
    assert spec.start(beginning(0, NS_PER_S)).conforms(1500, NS_PER_S)
    assert spec.parameters() == {"rate_bps": 8_000, "burst_bytes": 1500, "debt_bytes": 10}
