"""A scenario resolved: every name checked, every default written out, every refusal with its place."""

from __future__ import annotations

import contextlib
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from tests.scenario.plans import FIRST_DAY, first_day


@pytest.mark.parametrize("name", library.names("scenarios"))
def test_every_packaged_scenario_resolves_to_plain_json(name: str) -> None:
    plan = make_plan(library.find("scenarios", name), [], seed=None, engine="virtual", command=None)
    assert json.loads(json.dumps(plan.data, allow_nan=False)) == plan.data


def test_the_first_day_measures_everything_on_every_line_after_the_recording() -> None:
    recording, measuring = first_day().data["phases"]
    assert [each["id"] for line in recording["lines"] for each in line["transfers"]] == [
        "rostelecom/record-twimg-image"
    ]
    assert [line["name"] for line in measuring["lines"]] == ["mobile", "landline", "rostelecom"]
    assert {len(line["transfers"]) for line in measuring["lines"]} == {13}


@pytest.mark.parametrize("date", ["2021-03-10T09:00Z", "2021-03-10T12:00+03:00", "2021-03-10T09:00:00"])
def test_the_start_is_the_scenarios_instant(date: str) -> None:
    assert first_day(f"date={date}").data["start_ns"] == 1_615_366_800_000_000_000


def test_the_start_keeps_fractions_of_a_second() -> None:
    assert first_day("date=2021-03-10T09:00:00.000001Z").data["start_ns"] == 1_615_366_800_000_001_000


def test_the_seed_given_goes_before_the_scenarios() -> None:
    assert (first_day().data["seed"], first_day("seed=5").data["seed"], first_day("seed=5", seed=7).data["seed"]) == (
        1, 5, 7,
    )  # fmt: skip


def test_a_command_takes_the_place_of_the_measurements_on_the_first_line() -> None:
    *recordings, phase = first_day(command=["true"]).data["phases"]
    assert len(recordings) == 1
    assert phase["lines"] == []
    assert phase["command"] == {"node": "mobile", "argv": ["true"]}


def test_the_round_trip_is_twice_the_planned_delays() -> None:
    """Access 15 ms, six links between routers, backbone twice, border, and the server's own link."""
    one_way = 0.015 + 6 * 0.0005 + 2 * 0.004 + 0.068 + 0.0005
    assert first_day().data["rtt_s"]["mobile"]["origin"] == pytest.approx(2 * one_way)


@pytest.mark.parametrize(
    ("captures", "names"),
    [
        ("[]", set()),
        ("[box]", {"mobile-tspu-inside", "mobile-tspu-outside", "landline-tspu-inside", "landline-tspu-outside"}),
        ("[client]", {"mobile-client", "landline-client", "rostelecom-client"}),
        ("[server]", {"origin-server", "state-server", "university-server"}),
    ],
)
def test_captures_are_where_the_scenario_wants_them(captures: str, names: set[str]) -> None:
    assert {each["name"] for each in first_day(f"captures={captures}").data["captures"]} == names


REFUSALS = [
    ("network.topology=nosuch", "network.topology: no topology 'nosuch'; there are: "),
    ("network.parameters.speed=3", "network.parameters.speed: unknown parameter (known: lines, hops"),
    ("network.parameters.hops=many", "network.parameters.hops: expected a whole number, got 'many'"),
    ("network.parameters.mobile_down=20", "network.parameters.mobile_down: expected a rate such as '140 kbit/s'"),
    ("network.parameters.mobile_down=20 ms", "the unit 'ms' is unknown (units: bit/s, kbit/s"),
    ("network.parameters.hop_delay=1 kB", "network.parameters.hop_delay: expected a duration such as '95 ms'"),
    ("network.parameters.box_after_hop=7", "network.parameters.box_after_hop: expected 1 to 6 (one less than hops)"),
    ("network.parameters.lines=[]", "network.parameters.lines: the lines stand at the top of the scenario"),
    ("lines.1.name=mobile", "lines: expected a name of letters and digits that no other line has, got 'mobile'"),
    ("censors.tspu=nosuch", "censors.tspu: no censor profile or family 'nosuch'; there are: "),
    ("censors.firewall=ru-tw-2021", "censors.firewall: unknown kind of middlebox (known: tspu, blocker)"),
    ("origins.nowhere={serves: [a.com]}", "origins.nowhere: no server 'nowhere' in this topology (there: origin, "),
    ("origins.state.serves=[twitter.com]", "origins.state.serves.0: twitter.com is served by another origin already"),
    ("replay_server=nowhere", "replay_server: no server 'nowhere' in this topology"),
    ("replay_server=origin", "replay_server: origin is an origin; its port 443 is taken: choose another server"),
    ("replay_server=null", "replay_server: this key is missing: a replay"),
    ("recordings.0.line=dialup", "recordings.0.line: no line 'dialup' (there: mobile, landline, rostelecom)"),
    ("recordings.0.sni=a.com", "recordings.0.sni: no origin serves a.com; add it to an origin's 'serves'"),
    ("recordings=[{name: a, line: mobile, sni: t.co}, {name: a, line: landline, sni: t.co}]",
     "recordings.1.name: another recording is called 'a' already"),
    ("measurements.3.fetch=a.com", "measurements.3.fetch: no origin serves a.com; add it to an origin's 'serves'"),
    ("measurements.8.replay=song", "measurements.8.replay: no recording 'song' in this scenario (there: twimg-image)"),
    ("measurements.3.lines=[dialup]", "measurements.3.lines: no line 'dialup' (there: mobile, landline, rostelecom)"),
    ("recordings.0.size=1000 MB", "recordings.0.size: too large: a recording is kept in the guest's memory, which has"),
    ("outages.0.link=[gateway, mobile]", "outages.0.link: no link between gateway and mobile"),
    ("outages.0.link=[gateway, moon]", "outages.0.link: no link between gateway and moon"),
    ("outages.0.link=[mobile-r3, mobile-tspu]", "outages.0.link: mobile-tspu is a middlebox; choose another"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "problem"), REFUSALS)
def test_what_does_not_resolve_is_refused_with_what_there_is(setting: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)) as refusal:
        first_day(setting)
    assert f"--set {setting.partition('=')[0]}" in str(refusal.value) or f"{FIRST_DAY}:" in str(refusal.value)


# Topologies of the user's own.


KEYS = st.sampled_from(
    ["network", "network.topology", "network.parameters", "network.parameters.hops", "network.parameters.mobile_delay",
     "lines", "lines.0", "lines.0.name", "censors", "censors.tspu", "origins", "origins.origin", "origins.state.serves",
     "replay_server", "recordings", "recordings.0", "recordings.0.line", "measurements", "measurements.8",
     "measurements.3.lines", "outages", "outages.0.link", "captures", "date", "meter"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["mobile", "rostelecom", "twitter.com", "origin", "0", "3", "1 s", "2 Mbit/s", "[]", "{}", "null", "true", "tspu",
     "[origin, state]", "[mobile]", "ru-tw-2021c", "russia2021", "{fetch: t.co, role: target}", "2021-04-03", "''"]
)  # fmt: skip


@settings(max_examples=40)  # a plan takes a third of a second
@given(st.lists(st.tuples(KEYS, WORDS), min_size=1, max_size=2))
def test_any_settings_give_a_plan_or_a_refusal(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(ScenarioError):
        plan = first_day(*(f"{key}={word}" for key, word in pairs))
        assert json.loads(json.dumps(plan.data, allow_nan=False)) == plan.data


def test_a_plan_says_what_was_drawn_and_from_what() -> None:
    setting = "network.parameters.mobile_down=uniform(4 Mbit/s, 20 Mbit/s)"
    first, again, other = (first_day(setting, seed=seed) for seed in (1, 1, 2))
    [draw] = first.data["drawn"]
    assert (draw["key"], draw["written"]) == ("network.parameters.mobile_down", "uniform(4 Mbit/s, 20 Mbit/s)")
    assert first.data["topology"]["parameters"]["mobile_down"] == draw["value"]
    assert first.data["drawn"] == again.data["drawn"] != other.data["drawn"]
    assert first_day().data["drawn"] == []


def test_what_is_drawn_is_checked_like_everything_else() -> None:
    with pytest.raises(ScenarioError, match=r"recordings\.0\.size: too large"):
        first_day("recordings.0.size=uniform(300 MB, 400 MB)")
