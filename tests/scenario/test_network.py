"""A topology is built with the scenario's parameters, and held against the scenario's lines."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from tests.scenario.plans import FIRST_DAY, HOME, TOPOLOGY, plan_at_home

if TYPE_CHECKING:
    from pathlib import Path


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


def test_planning_grows_by_less_than_the_square_of_the_lines() -> None:
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

    calls(1)  # what is read once a process, such as the profiles, is no part of it
    few, many = calls(10), calls(40)
    assert many < 8 * few


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


@pytest.mark.parametrize("name", ["hopts", "sopts", "lopts", "self", "nosuch"])
def test_a_parameter_is_one_of_the_topologys_and_none_of_mininets(name: str) -> None:
    path = library.find("scenarios", "2021-03-10")
    with pytest.raises(ScenarioError, match=rf"network\.parameters\.{name}: unknown parameter \(known: "):
        make_plan(path, [f"network.parameters.{name}={{}}"], seed=None, engine="virtual", command=None)


def test_servers_of_a_dumbbell_may_have_a_router_each_before_them() -> None:
    scenario = library.find("scenarios", "confounders/two-servers")
    plan = make_plan(scenario, [], seed=1, engine="virtual", command=None)
    ways = [plan.path_of(each)[-3:] for each in plan.transfers]
    assert {tuple(way) for way in ways} == {
        ("right", "server1-gateway", "server1"),
        ("right", "server2-gateway", "server2"),
    }
    with pytest.raises(ScenarioError, match="server_routers: expected 0 or 1, got 2"):
        make_plan(scenario, ["network.parameters.server_routers=2"], seed=1, engine="virtual", command=None)


@pytest.mark.parametrize("topology", ["chain", "dumbbell", "two-paths"])
def test_a_box_is_moved_only_where_the_topology_has_places_for_it(topology: str, tmp_path: Path) -> None:
    server = {"chain": "origin", "dumbbell": "server1", "two-paths": "server1"}[topology]
    path = tmp_path / "moved.yaml"
    path.write_text(
        f"format: 1\ntitle: t\nabout: t\ndate: 2021-03-10T09:00Z\nseed: 1\nnetwork: {{topology: {topology}}}\n"
        "lines: [{name: obit, kind: mobile, tspu: true}]\ncensors: {tspu: ru-tw-2021a}\n"
        f"origins: {{{server}: {{serves: [t.co]}}}}\n"
        "measurements: [{fetch: t.co, role: target, size: 60 kB}]\n"
        "events:\n  - placement: {from: 1 d, after_hop: 5}\n"
    )
    problem = f"{path}:12: events.0.placement.after_hop: this topology has no other place for a box; say none, or take"
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        make_plan(path, [], seed=None, engine="virtual", command=None)


@pytest.mark.parametrize("hop", [3, 7, 9])
def test_a_box_is_moved_only_between_the_lines_routers_and_away_from_where_it_stands(hop: int) -> None:
    events = f"events=[{{placement: {{from: 1 d, after_hop: {hop}}}}}]"
    problem = f"events.0.placement.after_hop: the box cannot stand there: .*expected 1 to 6 .*, got {hop}"
    with pytest.raises(ScenarioError, match=problem):
        make_plan(FIRST_DAY, [events], seed=None, engine="virtual", command=None)
