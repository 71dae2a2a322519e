"""A scenario resolved: every name checked, every default written out, every refusal with its place."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from pathlib import Path

FIRST_DAY = library.find("scenarios", "2021-03-10")
TOPOLOGY = """\
from testbed.guest.network.topology import RoutedTopo

class Home(RoutedTopo):
    def construct(self):
        router = self.add_router("r1")
        self.connect(self.add_client("{line}", line="{line}", network="100.64.0.0/10"), router, delay_s=0.01)
        self.connect(router, self.add_server("origin", network="198.51.100.0/24"))

topos = {{"home": Home}}
"""
HOME = """\
format: 1
title: at home
about: one line, one server
date: 2021-03-10
network: {topology: home.py}
lines:
  - {name: home, kind: landline, tspu: false}
origins:
  origin: {serves: [twitter.com]}
measurements:
  - {fetch: twitter.com, role: target}
"""


def first_day(*settings: str, seed: int | None = None, command: list[str] | None = None) -> Plan:
    return make_plan(FIRST_DAY, list(settings), seed=seed, engine="virtual", command=command)


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(FIRST_DAY.read_text().splitlines(), 1) if text in line)


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


def test_every_transfer_has_an_id_of_its_own() -> None:
    ids = [each["id"] for each in first_day().transfers]
    assert len(set(ids)) == len(ids)


def test_only_lines_with_a_tspu_get_a_box() -> None:
    assert {name: box["profile"]["name"] for name, box in first_day().data["boxes"].items()} == {
        "mobile-tspu": "ru-tw-2021a",
        "landline-tspu": "ru-tw-2021a",
    }


def test_a_date_on_which_the_family_spares_landlines_leaves_their_box_out() -> None:
    assert set(first_day("date=2021-05-18").data["boxes"]) == {"mobile-tspu"}


@pytest.mark.parametrize("date", ["2021-03-10T09:00Z", "2021-03-10T12:00+03:00", "2021-03-10T09:00:00"])
def test_the_start_is_the_scenarios_instant(date: str) -> None:
    assert first_day(f"date={date}").data["start_ns"] == 1_615_366_800_000_000_000


def test_the_start_keeps_fractions_of_a_second() -> None:
    assert first_day("date=2021-03-10T09:00:00.000001Z").data["start_ns"] == 1_615_366_800_000_001_000


def test_the_seed_given_goes_before_the_scenarios() -> None:
    assert (first_day().data["seed"], first_day("seed=5").data["seed"], first_day("seed=5", seed=7).data["seed"]) == (
        1, 5, 7,
    )  # fmt: skip


def test_each_box_has_a_seed_of_its_own_that_follows_the_runs() -> None:
    def seeds(seed: int) -> dict[str, int]:
        return {name: box["seed"] for name, box in first_day(seed=seed).data["boxes"].items()}

    assert seeds(1) == seeds(1)
    assert len({*seeds(1).values(), *seeds(2).values()}) == 4


def test_a_command_takes_the_place_of_the_measurements_on_the_first_line() -> None:
    *recordings, phase = first_day(command=["true"]).data["phases"]
    assert len(recordings) == 1
    assert phase["lines"] == []
    assert phase["command"] == {"node": "mobile", "argv": ["true"]}


def test_an_inverted_replay_shows_no_name() -> None:
    plan = first_day()
    names = {each["name"]: each["sni"] for each in plan.transfers if each["kind"] == "replay"}
    assert names["replay twimg-image, upload, original"] == "abs.twimg.com"
    assert names["replay twimg-image, upload, inverted"] is None


def test_a_measurement_runs_on_the_lines_it_names() -> None:
    plan = first_day("measurements=[{fetch: t.co, role: target, lines: [landline]}]")
    assert [each["line"] for each in plan.transfers if each["kind"] == "fetch"] == ["landline"]


def test_at_and_timeout_reach_the_transfer_in_seconds() -> None:
    (transfer,) = first_day(
        "measurements=[{fetch: t.co, role: target, lines: [landline], at: 1.5 min, timeout: 250 ms}]", "recordings=[]"
    ).transfers
    assert (transfer["at_s"], transfer["timeout_s"]) == (90.0, 0.25)


def test_an_origin_has_an_object_of_every_size_that_is_asked_for() -> None:
    plan = first_day("measurements=[{fetch: t.co, role: target, size: 1 kB}, {fetch: t.co, role: target, size: 2 kB}]")
    assert plan.data["origins"]["origin"]["objects"] == {"/1000.bin": 1000, "/2000.bin": 2000, "/383000.bin": 383_000}


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


def test_the_meter_of_the_scenario_goes_before_the_profiles() -> None:
    kinds = {box["profile"]["meter"]["kind"] for box in first_day("meter=coarse_refill").data["boxes"].values()}
    assert kinds == {"coarse_refill"}


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
    ("measurements.3.size=64 MB", "measurements.3.size: too large: every origin keeps an object of each size in the"),
    ("recordings.0.size=1000 MB", "recordings.0.size: too large: every origin keeps an object of each size in the"),
    ("outages.0.link=[gateway, mobile]", "outages.0.link: no link between gateway and mobile"),
    ("outages.0.link=[gateway, moon]", "outages.0.link: no link between gateway and moon"),
    ("outages.0.link=[mobile-r3, mobile-tspu]", "outages.0.link: mobile-tspu is a middlebox; choose another"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "problem"), REFUSALS)
def test_what_does_not_resolve_is_refused_with_what_there_is(setting: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)) as refusal:
        first_day(setting)
    assert f"--set {setting.partition('=')[0]}" in str(refusal.value) or f"{FIRST_DAY}:" in str(refusal.value)


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("topology: russia2021", "topology: atlantis", "network.topology: no topology 'atlantis'"),
        ("tspu: ru-tw-2021", "tspu: nosuch", "censors.tspu: no censor profile or family 'nosuch'"),
        ("fetch: twitter.com", "fetch: nosuch.com", "measurements.3.fetch: no origin serves nosuch.com"),
        ("link: [gateway, state]", "link: [gateway, moon]", "outages.0.link: no link between gateway and moon"),
    ],
)
def test_a_refusal_of_the_file_names_its_line(tmp_path: Path, was: str, becomes: str, problem: str) -> None:
    path = tmp_path / "changed.yaml"
    path.write_text(FIRST_DAY.read_text().replace(was, becomes))
    with pytest.raises(ScenarioError, match=re.escape(f"{path}:{line_of(was)}: {problem}")):
        make_plan(path, [], seed=None, engine="virtual", command=None)


# Topologies of the user's own.


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home.py").write_text(TOPOLOGY.format(line="home"))
    (tmp_path / "home.yaml").write_text(HOME)
    return tmp_path


def plan_at_home(folder: Path, *settings: str) -> Plan:
    return make_plan(folder / "home.yaml", list(settings), seed=None, engine="virtual", command=None)


def test_a_topology_of_the_users_own_is_planned_with(at_home: Path) -> None:
    plan = plan_at_home(at_home)
    assert plan.data["topology"]["file"] == str(at_home / "home.py")
    assert plan.data["rtt_s"] == {"home": {"origin": 0.02}}


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def f(:\n", "home.py cannot be loaded: SyntaxError: "),
        ("import nosuchmodule\n", "home.py cannot be loaded: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("1 / 0\n", "home.py cannot be loaded: ZeroDivisionError"),
        ("topos = {}\n", "home.py: no topology 'home' in its 'topos' (there: none)"),
        ("from mininet.topo import Topo\ntopos = {'home': Topo}\n", "home.py: topology 'home' is not a testbed.guest"),
        (TOPOLOGY.format(line="office"), "home.yaml:7: lines.0: the topology has no line 'home' (there: office)"),
    ],
)
def test_a_topology_file_that_cannot_be_used_is_refused(at_home: Path, source: str, problem: str) -> None:
    (at_home / "home.py").write_text(source)
    with pytest.raises(ScenarioError, match=re.escape(problem)) as refusal:
        plan_at_home(at_home)
    assert "home.yaml:" in str(refusal.value)


def test_a_line_of_the_topology_that_the_scenario_forgets_is_refused(at_home: Path) -> None:
    more = TOPOLOGY.format(line="home").replace(
        "        self.connect(router, self.add_server",
        '        self.connect(self.add_client("b", line="b", network="100.64.0.0/10"), router)\n'
        "        self.connect(router, self.add_server",
    )
    (at_home / "home.py").write_text(more)
    with pytest.raises(ScenarioError, match=r"home\.yaml:6: lines: the topology's line 'b' is missing here"):
        plan_at_home(at_home)


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


def test_paths_in_a_scenario_count_from_its_file(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert plan_at_home(at_home).data["topology"]["file"] == str(at_home / "home.py")


def test_a_mistake_in_a_topology_is_an_error_with_its_line(at_home: Path) -> None:
    path = at_home / "home.py"
    lines = path.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if "def construct" in line)
    lines.insert(at + 1, "        undefined_name")
    path.write_text("\n".join(lines))
    with pytest.raises(ScenarioError, match=re.escape(f"{path}:{at + 2}: NameError: name 'undefined_name'")):
        plan_at_home(at_home)


def test_an_option_of_a_link_that_has_no_effect_is_refused(at_home: Path) -> None:
    path = at_home / "home.py"
    path.write_text(path.read_text().replace("delay_s=", "jitter=1, delay_s=", 1))
    with pytest.raises(ScenarioError, match="option 'jitter' would have no effect"):
        plan_at_home(at_home)


def test_planning_grows_with_lines_and_not_with_their_square() -> None:
    """Counted in calls, which no other load on the machine changes."""

    def calls(lines: int) -> int:
        described = ", ".join(f"{{name: l{number}, kind: mobile, tspu: true}}" for number in range(lines))
        counted = 0

        def count(_frame: object, event: str, _argument: object) -> None:
            nonlocal counted
            counted += event == "call"

        settings = [f"lines=[{described}]", "recordings=[]", "measurements=[{fetch: twitter.com, role: target}]"]
        sys.setprofile(count)
        try:
            make_plan(FIRST_DAY, settings, seed=None, engine="virtual", command=None)
        finally:
            sys.setprofile(None)
        return counted

    few, many = calls(10), calls(40)
    assert many < 8 * few


def test_a_line_that_its_profile_leaves_without_a_box_says_why() -> None:
    plan = first_day("date=2021-05-18")
    assert list(plan.data["without_box"]) == ["landline"]
    assert "spares landline lines" in plan.data["without_box"]["landline"]


def test_a_scenario_and_its_topology_must_agree_on_where_boxes_stand(at_home: Path) -> None:
    with pytest.raises(ScenarioError, match=r"lines\.0\.tspu: the topology has no TSPU on this line"):
        plan_at_home(at_home, "lines.0.tspu=true")
    path = at_home / "home.py"
    direct = 'self.connect(router, self.add_server("origin", network="198.51.100.0/24"))'
    box = 'box = self.add_box("b", line="home", kind="tspu")'
    boxed = f"{box}\n        self.connect(router, box)\n        {direct.replace('router', 'box', 1)}"
    path.write_text(path.read_text().replace(direct, boxed))
    plan_at_home(at_home, "lines.0.tspu=true")
    with pytest.raises(ScenarioError, match=r"lines\.0\.tspu: the topology puts a TSPU on this line"):
        plan_at_home(at_home, "lines.0.tspu=false")


def test_the_documents_topology_can_be_planned_with(tmp_path: Path) -> None:
    text = (library.folder("scenarios").parent / "docs/how-to/write-a-scenario.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "two-hops.py").write_text(code)
    home = HOME.replace("home.py", "two-hops.py").replace("tspu: false", "tspu: true")
    (tmp_path / "home.yaml").write_text(home)
    assert plan_at_home(tmp_path).data["rtt_s"] == {"home": {"origin": pytest.approx(0.085)}}


def test_a_plan_says_what_was_drawn_and_from_what() -> None:
    setting = "network.parameters.mobile_down=uniform(4 Mbit/s, 20 Mbit/s)"
    first, again, other = (first_day(setting, seed=seed) for seed in (1, 1, 2))
    [draw] = first.data["drawn"]
    assert (draw["key"], draw["written"]) == ("network.parameters.mobile_down", "uniform(4 Mbit/s, 20 Mbit/s)")
    assert first.data["topology"]["parameters"]["mobile_down"] == draw["value"]
    assert first.data["drawn"] == again.data["drawn"] != other.data["drawn"]
    assert first_day().data["drawn"] == []


def test_what_is_drawn_is_checked_like_everything_else() -> None:
    with pytest.raises(ScenarioError, match=r"measurements\.3\.size: too large"):
        first_day("measurements.3.size=uniform(300 MB, 400 MB)")
