"""Background traffic in scenarios: what it becomes in a plan, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from tests.scenario.plans import first_day, plan_at_home

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.background import BackgroundPlan


def planned(folder: Path, entry: str, *settings: str) -> BackgroundPlan:
    return plan_at_home(folder, f"background=[{entry}]", *settings).data["background"][0]


def test_a_download_is_opened_by_the_subscriber(at_home: Path) -> None:
    plan = planned(at_home, "{bulk: [origin, home], flows: 3, congestion_control: reno}")
    assert (plan["sender"], plan["receiver"], plan["opener"]) == ("origin", "home", "home")
    assert (plan["line"], plan["direction"], plan["flows"]) == ("home", "download", 3)
    assert plan["congestion_control"] == "reno"


def test_an_upload_has_the_congestion_control_of_its_sender(at_home: Path) -> None:
    plan = planned(at_home, "{bulk: [home, origin]}", "lines.0.congestion_control=bbr")
    assert (plan["opener"], plan["direction"], plan["congestion_control"]) == ("home", "upload", "bbr")


def test_dates_and_durations_are_seconds_of_the_run(at_home: Path) -> None:
    plan = planned(at_home, "{udp: [home, origin], rate: 1 Mbit/s, from: 2021-03-10T00:00:05Z, until: 20 s}")
    assert (plan["from_s"], plan["until_s"]) == (5.0, 20.0)


@pytest.mark.parametrize("beside", ["target", "twitter.com"])
def test_it_stands_beside_measurements_by_role_or_name(at_home: Path, beside: str) -> None:
    plan = planned(at_home, f"{{bulk: [origin, home], beside: {beside}, lead: 3 s}}")
    assert (plan["beside"], plan["lead_s"]) == (["home/01-twitter.com"], 3.0)


def test_each_object_draws_from_the_seed(at_home: Path) -> None:
    entry = "{web: [origin, home], size: 'lognormal(30 kB, 1)', pause: 'exponential(500 ms)'}"
    first, again, other = (planned(at_home, entry, f"seed={seed}")["objects"] for seed in (1, 1, 2))
    assert first == again != other
    assert len({size for size, _ in first}) > len(first) // 2
    assert 20_000 < sorted(size for size, _ in first)[len(first) // 2] < 45_000


def test_a_plan_without_background_has_no_key_for_it() -> None:
    assert "background" not in first_day().data


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{bulk: [nowhere, home]}", r"home\.yaml|--set .*background\.0\.bulk\.0: no line and no server 'nowhere'"),
        ("{bulk: [home, home]}", "cannot send to itself"),
        ("{bulk: [origin, home], from: 10 s, until: 5 s}", "expected 'until' after 'from'"),
        ("{bulk: [origin, home], from: 2 h}", "the measurements are over after 120 s at the latest"),
        ("{bulk: [origin, home], until: 2 h}", "over after 120 s at the latest.*or leave it out"),
        ("{bulk: [origin, home], from: 2021-03-09}", "before the run begins"),
        ("{bulk: [origin, home], beside: control}", r"the role or the name 'control' \(there: target, twitter.com\)"),
        ("{bulk: [origin, home], beside: target, from: 1 s}", "remove 'from' and 'until', or 'beside'"),
        ("{bulk: [origin, home], beside: target, lead: 900 d}", "expected a 'lead' of at most 1 h, got 21600 h"),
        ("{bulk: [origin, home, home]}", "background.0.bulk: expected at most 2 items, got 3"),
        ("{bulk: [origin, home], lead: 1 s}", "'lead' is a time before a measurement"),
        ("{bulk: [origin, home], congestion_control: vegas}", "congestion_control"),
        ("{bulk: [origin, home], flows: 0}", "flows"),
        ("{bulk: [origin, home], rate: 1 Mbit/s}", "rate: unknown key"),
        ("{udp: [origin, home]}", "rate: this key is missing"),
        ("{udp: [origin, home], rate: 1000}", "the unit is missing"),
        ("{udp: [origin, home], rate: 0}", "expected a rate from 1 kbit/s"),
        ("{udp: [origin, home], rate: 1 Mbit/s, packet: 10 B}", "expected a packet of 40 B to 1500 B"),
        ("{udp: [origin, home], rate: 1 Gbit/s, packet: 40 B}", "packets a second are more than"),
        ("{udp: [origin, home], rate: 1 Mbit/s, arrivals: bursty}", "arrivals"),
        ("{web: [origin, home], size: 'uniform(5 kB, 1 kB)', pause: 1 s}", "size: .*turned round"),
        ("{web: [origin, home], size: 'uniform(1 s, 2 s)', pause: 1 s}", "size: expected a size"),
        ("{web: [origin, home], size: 0, pause: 1 s}", "every object would be empty"),
        ("{web: [origin, home], size: 1 kB, pause: 1 parsec}", "pause: .*parsec"),
        ("{bulk: [origin, home], web: [origin, home]}", "exactly one of the keys"),
    ],
)
def test_what_cannot_be_is_refused(at_home: Path, entry: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        planned(at_home, entry)


def test_beside_a_command_nothing_is_measured() -> None:
    plan = first_day(
        "background=[{bulk: [border, mobile], beside: target}]".replace("border", "origin"), command=["true"]
    )
    assert plan.data["background"][0]["beside"] == []


@pytest.mark.parametrize(
    ("settings", "entry", "expected"),
    [((), "", None), ((), ", ip: 6", 6), (("ip=6",), "", 6), (("ip=6",), ", ip: 4", None)],
)
def test_an_entry_goes_over_its_own_ip_or_the_scenarios(
    at_home: Path, settings: tuple[str, ...], entry: str, expected: int | None
) -> None:
    plan = plan_at_home(at_home, f"background=[{{bulk: [origin, home]{entry}}}]", *settings).data
    assert plan["background"][0].get("ip") == expected
    assert ("names6" in plan) is (expected == 6 or bool(settings))


def test_a_packet_that_has_no_room_for_headers_of_ipv6_is_refused(at_home: Path) -> None:
    entry = "{udp: [home, origin], rate: 10 kbit/s, packet: 59 B, ip: %d}"
    planned(at_home, entry % 4)
    with pytest.raises(ScenarioError, match=r"background\.0\.packet: expected a packet of at least 60 B, got 59 B"):
        planned(at_home, entry % 6)
