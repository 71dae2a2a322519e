from __future__ import annotations

import pytest

from testbed.demo.scene import CAUSES, EVASION_NAMES, STOPS, SURPRISE, VOTES, Choice, settings
from testbed.errors import InputError
from tests.demo.runs import demo_plan


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("state_outage", [False, True])
def test_every_cause_makes_a_plan(*, cause: str, state_outage: bool) -> None:
    plan = demo_plan(*settings(Choice(cause=cause, state_outage=state_outage)))
    assert len(plan["events"]) == state_outage + (cause == "broken")
    assert CAUSES[cause].vote in VOTES


def test_each_stop_has_the_rules_of_its_date() -> None:
    names = [
        {
            str(box["profile"] and box["profile"]["name"])
            for box in demo_plan(*settings(Choice(stop=stop)))["boxes"].values()
        }
        for stop in range(len(STOPS))
    ]
    assert [", ".join(each) for each in names] == [
        "", "ru-tw-2021a", "ru-tw-2021b", "ru-tw-2021c", "ru-tw-2021d", "ru-tw-2022-III", "ru-2022-II",
        "", "ru-16k-2025", "ru-l4-25",
    ]  # fmt: skip


@pytest.mark.parametrize("evasion", EVASION_NAMES)
def test_every_evasion_takes_the_place_of_the_target(evasion: str) -> None:
    plan = demo_plan(*settings(Choice(evasion=evasion)))
    first = plan["phases"][0]["lines"][0]["transfers"][0]
    assert (first["kind"], first["role"], first["line"]) == ("evade", "target", "phone")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"stop": 99}, "stop: expected 0 to"),
        ({"stop": True}, "stop: expected 0 to"),
        ({"stop": "2"}, "stop: expected 0 to"),
        ({"cause": "aliens"}, "cause: expected one of"),
        ({"cause": ["box"]}, "cause: expected one of"),
        ({"evasion": "; rm -rf /"}, "evasion: expected one of"),
        ({"cause": "slow", "evasion": "tcp-split"}, "choose no evasion"),
    ],
)
def test_what_is_not_on_offer_is_refused(fields: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Choice.of(fields)


def test_a_surprise_is_drawn_and_brings_no_evasion() -> None:
    drawn = {Choice.of({"cause": SURPRISE, "evasion": "tcp-split", "stop": 0}) for _ in range(200)}
    assert {each.cause for each in drawn} == set(CAUSES)
    assert {(each.evasion, each.stop) for each in drawn} == {("", 2)}
