from __future__ import annotations

import pytest

from testbed.middlebox.meters.byte_quota import ByteQuotaSpec
from testbed.middlebox.meters.period import InPeriod, Period
from testbed.middlebox.meters.token_bucket import TokenBucketSpec
from tests.middlebox.meters.build import NS_PER_S, beginning

NOTHING = ByteQuotaSpec(quota_bytes=0)
MATCHED_NS = 3 * NS_PER_S


def in_period(period: Period) -> InPeriod:
    return InPeriod(period, NOTHING, beginning(matched_ns=MATCHED_NS))


def passes(meter: InPeriod, length: int, now_ns: int) -> bool:
    return meter.departure_ns(length, now_ns) == now_ns


def test_a_limit_begins_with_the_packet_that_exceeds_the_amount() -> None:
    meter = in_period(Period(after_amount_bytes=2000))
    assert [passes(meter, length, MATCHED_NS) for length in (1500, 500, 1)] == [True, True, False]


def test_what_is_too_large_begins_it_for_smaller_packets_too() -> None:
    meter = in_period(Period(after_amount_bytes=2000))
    assert [passes(meter, length, MATCHED_NS) for length in (1500, 501, 1)] == [True, False, False]


@pytest.mark.parametrize(("after_ns", "is_free"), [(-1, True), (0, False), (1, False)])
def test_a_limit_begins_at_its_time_after_the_match(after_ns: int, *, is_free: bool) -> None:
    meter = in_period(Period(after_time_s=2.0))
    assert passes(meter, 1500, MATCHED_NS + 2 * NS_PER_S + after_ns) is is_free


@pytest.mark.parametrize(("after_ns", "is_free"), [(-1, False), (0, True), (1, True)])
@pytest.mark.parametrize("period", [Period(lasts_s=5.0), Period(after_time_s=2.0, lasts_s=3.0)])
def test_a_limit_ends_at_its_time_after_it_began(period: Period, after_ns: int, *, is_free: bool) -> None:
    meter = in_period(period)
    assert not passes(meter, 1500, MATCHED_NS + 4 * NS_PER_S)
    assert passes(meter, 1500, MATCHED_NS + 5 * NS_PER_S + after_ns) is is_free


def test_a_limit_that_waits_for_bytes_lasts_from_the_packet_that_began_it() -> None:
    meter = in_period(Period(after_amount_bytes=1500, lasts_s=1.0))
    assert passes(meter, 1500, MATCHED_NS)
    assert not passes(meter, 1500, MATCHED_NS + 7 * NS_PER_S)
    assert not passes(meter, 1500, MATCHED_NS + 8 * NS_PER_S - 1)
    assert passes(meter, 1500, MATCHED_NS + 8 * NS_PER_S)


def test_a_limit_that_nobody_met_is_over_all_the_same() -> None:
    assert passes(in_period(Period(after_time_s=2.0, lasts_s=3.0)), 1500, MATCHED_NS + 6 * NS_PER_S)


def test_the_meter_is_as_at_the_match_when_its_period_begins() -> None:
    bucket = TokenBucketSpec(rate_bps=8_000, burst_bytes=3_000, start_bytes=0)
    meter = InPeriod(Period(after_time_s=2.0), bucket, beginning(matched_ns=MATCHED_NS))
    begins_ns = MATCHED_NS + 2 * NS_PER_S
    assert [meter.departure_ns(1000, begins_ns + each) for each in (NS_PER_S // 2, NS_PER_S)] == [
        None,
        begins_ns + NS_PER_S,
    ]


def test_only_what_was_said_is_told() -> None:
    assert Period(lasts_s=5.0).parameters() == {"lasts_s": 5.0}
    assert (Period().is_all, Period(lasts_s=5.0).is_all) == (True, False)
