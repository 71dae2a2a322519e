"""Each place for a box gets the profile of its date and kind of line, and a seed of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import ScenarioError
from testbed.records.box_plan import profiles_of
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from testbed.records.box_plan import BoxPlan, ProfileDocument


# What of the first day speaks of its own lines.
ALONE = ("recordings=[]", "outages=[]", "measurements=[{fetch: example.com, size: 1 kB, role: control}]")


def test_only_lines_with_a_tspu_get_a_box() -> None:
    assert {name: profiles_of(box)[0]["name"] for name, box in first_day().data["boxes"].items()} == {
        "mobile-tspu": "ru-tw-2021a",
        "landline-tspu": "ru-tw-2021a",
    }


def test_a_date_on_which_the_family_spares_landlines_leaves_their_box_out() -> None:
    assert set(first_day("date=2021-05-18").data["boxes"]) == {"mobile-tspu"}


def test_each_box_has_a_seed_of_its_own_that_follows_the_runs() -> None:
    def seeds(seed: int) -> dict[str, int]:
        return {name: box["seed"] for name, box in first_day(seed=seed).data["boxes"].items()}

    assert seeds(1) == seeds(1)
    assert len({*seeds(1).values(), *seeds(2).values()}) == 4


def test_the_meter_of_the_scenario_goes_before_the_profiles() -> None:
    kinds = {profiles_of(box)[0]["meter"]["kind"] for box in first_day("meter=coarse_refill").data["boxes"].values()}
    assert kinds == {"coarse_refill"}


def test_a_line_that_its_profile_leaves_without_a_box_says_why() -> None:
    plan = first_day("date=2021-05-18")
    assert list(plan.data["without_box"]) == ["landline"]
    assert "spares landline lines" in plan.data["without_box"]["landline"]


@pytest.mark.parametrize("written", ["none", "null"])
def test_a_place_may_be_named_a_cable_for_all_lines(written: str) -> None:
    plan = first_day(f"censors={{tspu: {written}}}")
    assert (plan.data["boxes"], plan.data["without_box"]) == ({}, {})


def test_a_line_may_have_a_cable_where_others_have_a_censor_and_the_other_way_round() -> None:
    lines = "lines=[{name: a, kind: mobile, tspu: true}, {name: b, kind: mobile, tspu: true, censor: %s}]"
    assert set(first_day(lines % "none", *ALONE).data["boxes"]) == {"a-tspu"}
    assert set(first_day(lines % "ru-tw-2021a", "censors={tspu: none}", *ALONE).data["boxes"]) == {"b-tspu"}


def share(profile: object) -> object:
    assert isinstance(profile, dict)
    return profile["trigger"]["share"]


def test_a_line_or_its_kind_says_on_what_share_of_its_flows_the_censor_acts() -> None:
    lines = "lines=[{name: a, kind: mobile, tspu: true, censor_share: 90 %}, {name: b, kind: slow, tspu: true}]"
    boxes = first_day(lines, "kinds.slow={like: mobile, censor_share: 5 %}", *ALONE).data["boxes"]
    assert {name: share(box["profile"]) for name, box in boxes.items()} == {"a-tspu": 0.9, "b-tspu": 0.05}


def test_an_event_says_on_what_share_of_flows_the_censor_acts_from_then_on() -> None:
    boxes = first_day("events=[{censor: {at: 5 s, censor: ru-tw-2021b, share: 30 %, lines: [mobile]}}]").data["boxes"]
    box = boxes["mobile-tspu"]
    assert [share(box["profile"]), share(box["changes"][0]["profile"])] == [1.0, 0.3]
    assert "changes" not in boxes["landline-tspu"]


@pytest.mark.parametrize(("said", "problem"), [
    ("events=[{censor: {at: 5 s, censor: tele2-3g-up, share: 30 %}}]", "events.0.censor.share: the profile tele2-3g"),
    ("events=[{censor: {at: 5 s, censor: none, share: 30 %}}]", "a share is of the flows that a censor acts on"),
    ("events=[{censor: {at: 5 s, censor: ru-tw-2021b, share: 130 %}}]", "events.0.censor.share: "),
    ("lines.0={name: a, kind: mobile, tspu: true, censor_share: 1.5}", "lines.0.censor_share: "),
    ("lines=[{name: a, kind: mobile, tspu: true}, {name: b, kind: mobile, tspu: false, censor_share: 9 %}]",
     "lines.1.censor_share: on this line is no TSPU that follows a censor"),
])  # fmt: skip
def test_a_share_that_cannot_be_is_refused_with_its_key(said: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        first_day(said, *(ALONE if said.startswith("lines") else ()))


@pytest.mark.parametrize(("said", "problem"), [
    ("meter=coarse_refill", "meter: no box here follows a censor that could meter"),
    ("lines.0.censor_share=9 %", "lines.0.censor_share: on this line is no TSPU that follows a censor"),
    ("kinds={mobile: {like: mobile, censor_share: 9 %}}", "kinds.mobile.censor_share: on lines of this kind is no"),
])  # fmt: skip
def test_what_is_said_of_censors_needs_one(said: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        first_day("censors={}", said)


DAYS = "events=[{days: {share: 50 %}}]"
ASIDE = "events=[{placement: {from: 1 s, until: 20 s, after_hop: none, lines: [mobile]}}]"


@pytest.mark.parametrize("event", [DAYS, ASIDE])
@pytest.mark.parametrize("censors", ["censors={}", "censors={tspu: none}"])
def test_an_event_of_boxes_needs_one_that_ever_follows_a_censor(censors: str, event: str) -> None:
    with pytest.raises(ScenarioError, match=r"events\.0\.\w+: none of these boxes ever follows a censor"):
        first_day(censors, event)


def test_an_event_of_boxes_is_for_its_own_lines() -> None:
    with pytest.raises(ScenarioError, match="none of these boxes"):
        first_day("lines.0.censor=none", ASIDE)
    assert first_day("lines.1.censor=none", ASIDE).data["boxes"]


def test_an_event_may_speak_of_boxes_that_follow_a_censor_later() -> None:
    later = "{censor: {at: 5 s, censor: ru-tw-2021b}}"
    assert first_day("censors={}", DAYS.replace("[{", f"[{later}, {{", 1)).data["boxes"]


@pytest.mark.parametrize("named", [
    "events=[{censor: {at: 5 s, censor: ru-tw-2021b}}]", "lines.0.censor=ru-tw-2021a", "censors={tspu: ru-tw-2021}",
])  # fmt: skip
def test_a_meter_is_for_a_censor_that_is_named_anywhere(named: str) -> None:
    assert first_day("censors={}", "meter=coarse_refill", named).data["boxes"]


def test_a_meter_of_a_censor_that_does_not_exist_at_the_date_is_no_mistake() -> None:
    days = ["date=2020-01-01", "meter=coarse_refill", "censors.tspu=ru-tw-2021"]
    assert first_day(*days).data["boxes"] == {}


def names(box: BoxPlan) -> list[str | None]:
    """The profiles of a box, one after the other; None: it is a cable."""
    return [
        None if each is None else each["name"]
        for each in (box["profile"], *(change["profile"] for change in box["changes"]))
    ]


def test_a_box_without_a_profile_at_first_gets_one_from_an_event() -> None:
    boxes = first_day("censors={}", "events=[{censor: {at: 5 s, censor: ru-tw-2021b, lines: [mobile]}}]").data["boxes"]
    assert {name: names(box) for name, box in boxes.items()} == {"mobile-tspu": [None, "ru-tw-2021b"]}


def test_changes_come_in_the_order_of_time() -> None:
    boxes = first_day(
        "events=[{censor: {at: 9 s, censor: none}}, {censor: {at: 5 s, censor: ru-tw-2021b, forgets: true}}]"
    ).data["boxes"]
    assert names(boxes["mobile-tspu"]) == ["ru-tw-2021a", "ru-tw-2021b", None]
    assert [change["forgets"] for change in boxes["mobile-tspu"]["changes"]] == [True, False]


def test_a_line_that_the_new_profile_spares_has_a_cable_and_says_why() -> None:
    boxes = first_day("events=[{censor: {at: 2021-05-18, censor: ru-tw-2021}}]").data["boxes"]
    change = boxes["landline-tspu"]["changes"][0]
    assert change["profile"] is None
    assert "spares landline lines" in change["why"]
    assert names(boxes["mobile-tspu"]) == ["ru-tw-2021a", "ru-tw-2021d"]


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ("[{censor: {at: 5 s, censor: moon}}]", "events.0.censor.censor: no censor profile or family 'moon'"),
        ("[{censor: {at: 5 s, censor: 5}}]", "events.0.censor.censor: expected a profile, a family or none, got 5"),
        (
            "[{censor: {at: 5 s, censor: {based_on: ru-tw-2021b}}}]",
            "events.0.censor.censor: expected a profile, a family or none, got {'based_on': 'ru-tw-2021b'}",
        ),
        (
            "[{placement: {from: 5 s, after_hop: [2]}}]",
            "events.0.placement.after_hop: expected the number of a hop, or none: out of the path; got [2]",
        ),
        (
            "[{censor: {at: 5 s, censor: none}}, {censor: {at: 5 s, censor: ru-tw-2021b, lines: [mobile]}}]",
            "events.1.censor: another event gives mobile-tspu a profile at this instant already; move or remove one",
        ),
        ("[{censor: {at: 5 s, censor: none, lines: [moon]}}]", "events.0.censor.lines: no line 'moon'"),
        ("[{censor: {censor: none}}]", "events.0.censor.at: this key is missing"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_its_key(events: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        first_day(f"events={events}")


def bucket_of(profile: ProfileDocument) -> dict[str, Any]:
    bucket: dict[str, Any] = profile["meter"]["token_bucket"]  # type: ignore[typeddict-item]  # of one kind of meter
    return bucket


IN_PLACE = "censors={tspu: {based_on: ru-tw-2021b, meter: {token_bucket: {rate: 'uniform(1 Mbit/s, 2 Mbit/s)'}}}}"


def test_a_censor_written_in_place_is_what_it_is_based_on_but_for_what_it_says() -> None:
    profile = profiles_of(first_day(IN_PLACE, "date=2030-01-01").data["boxes"]["mobile-tspu"])[0]
    base = profiles_of(first_day("censors={tspu: ru-tw-2021b}").data["boxes"]["mobile-tspu"])[0]
    own, others = bucket_of(profile), bucket_of(base)
    assert 1e6 <= own["rate_bps"] <= 2e6
    assert own["burst_bytes"] == others["burst_bytes"]
    assert profile["rules"] == base["rules"]
    assert profile["name"] == "2021-03-10"


def test_a_value_of_a_censor_in_place_can_be_set() -> None:
    plan = first_day(IN_PLACE, "censors.tspu.meter.token_bucket.rate=80 kbit/s")
    assert bucket_of(profiles_of(plan.data["boxes"]["mobile-tspu"])[0])["rate_bps"] == 80_000


def test_a_censor_in_place_may_spare_a_kind_of_line() -> None:
    plan = first_day("censors={tspu: {based_on: ru-tw-2021b, placement: {lines: {landline: 0}}}}")
    assert set(plan.data["boxes"]) == {"mobile-tspu"}
    assert plan.data["without_box"]["landline"] == "the profile 2021-03-10 spares landline lines (placement.lines)"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{based_on: ru-tw-2021b, meters: 1}", "censors.tspu.meters: unknown key"),
        (
            "{based_on: ru-tw-2021b, valid_until: 2022-01-01T00:00Z}",
            "censors.tspu.valid_until: a profile that is written",
        ),
        (
            "{based_on: ru-tw-2021b, meter: {token_bucket: {rate: 5}}}",
            "censors.tspu.meter.token_bucket.rate: expected a rate",
        ),
        ("{based_on: nosuch}", "based_on: no profile 'nosuch'"),
        ("{}", "censors.tspu.rules: this key is missing"),
        ("[ru-tw-2021b]", "censors.tspu: expected a profile, a family"),
        ("{1: 2}", "censors.tspu: expected a profile, a family"),
    ],
)
def test_what_is_wrong_with_a_censor_in_place_is_told_by_its_key_in_the_scenario(written: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        first_day(f"censors={{tspu: {written}}}")
