from __future__ import annotations

import json

import pytest

from testbed.middlebox.meters.coarse_refill import CoarseRefillSpec
from testbed.middlebox.meters.token_bucket import TokenBucketSpec
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile import Profile
from testbed.middlebox.profile.model import LineKinds
from testbed.middlebox.profile.rules import Rule
from tests.middlebox.build import PROFILES, plain_profile, profile, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_that_comes_with_the_testbed_is_accepted(name: str) -> None:
    assert profile(name).name == name


def test_a_profile_is_named_as_its_file() -> None:
    assert {path.stem for path in PROFILES.glob("*.yaml")} == {profile(name).name for name in profile_names()}


def test_the_profile_of_the_first_day_says_what_was_published() -> None:
    first_day = profile("ru-tw-2021a")
    assert first_day.rules == (
        Rule("t.co", "substring", ("t.co",)),
        Rule("twimg.com", "suffix", (".twimg.com",)),
        Rule("twitter.com", "suffix", ("twitter.com",)),
    )
    assert first_day.inspection.budget_packets == (3, 15)
    assert first_day.inspection.give_up_bytes == 101
    assert first_day.flows.idle_timeout_s == 600
    assert first_day.trigger.opened_from == "inside"
    assert first_day.action.directions == frozenset(Direction)
    assert first_day.meter is not None
    assert first_day.meter.spec == TokenBucketSpec(rate_bps=140_000, burst_bytes=16384)


def test_landlines_are_freed_in_may_and_mobile_lines_are_not() -> None:
    assert profile("ru-tw-2021c").placement.lines == LineKinds(mobile=True, landline=True)
    assert profile("ru-tw-2021d").placement.lines == LineKinds(mobile=True, landline=False)


def test_another_meter_can_be_chosen() -> None:
    chosen = profile(meter__kind="coarse_refill").meter
    assert chosen is not None
    assert chosen.spec == CoarseRefillSpec(quantum_bytes=17875, period_s=1.28, cap_bytes=19500, phase_s=0.0)


def test_the_meter_can_be_changed_later() -> None:
    assert profile().with_meter("coarse_refill") == profile(meter__kind="coarse_refill")


@pytest.mark.parametrize(("name", "kind"), [("ru-tw-2021a", "shaper"), ("ru-2022-II", "token_bucket")])
def test_a_meter_that_is_not_described_cannot_be_chosen(name: str, kind: str) -> None:
    with pytest.raises(KeyError, match=kind):
        profile(name).with_meter(kind)


@pytest.mark.parametrize("name", profile_names())
def test_what_the_guest_reads_is_the_profile_again(name: str) -> None:
    plain = json.loads(json.dumps(plain_profile(name)))
    assert Profile.from_dict(plain) == profile(name)
    assert Profile.from_dict(plain).to_dict() == plain


def test_a_box_that_meters_a_whole_line_reads_nothing_and_remembers_no_flow() -> None:
    line = profile("tele2-3g-up")
    assert (line.trigger.recognisers, line.inspection.budget_packets, line.flows.table_size) == ((), (0, 0), 1)
