"""What a line says goes before what its kind says, and both before what holds for all lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.records.box_plan import profiles_of
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = """\
format: 1
title: lines
about: lines that differ
date: 2021-03-10T09:00Z
network: {{topology: {topology}}}
kinds:
  dsl: {{like: landline, down: 16 Mbit/s, delay: 12 ms, congestion_control: bbr}}
lines:
  - {first}
  - {{name: other, kind: dsl, tspu: true}}
censors: {{tspu: ru-tw-2021}}
origins: {{{server}: {{serves: [twitter.com]}}}}
measurements: [{{fetch: twitter.com, role: target}}]
"""
FIRST = "{name: own, kind: dsl, tspu: true, down: 2 Mbit/s, congestion_control: reno, censor: ru-tw-2021-report}"


def planned(tmp_path: Path, first: str = FIRST, topology: str = "russia2021", server: str = "origin") -> Plan:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO.format(first=first, topology=topology, server=server))
    return make_plan(path, [], seed=None, engine="virtual", command=None)


def test_a_line_goes_before_its_kind_and_both_before_all_lines(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert plan.data["topology"]["parameters"]["lines"] == [
        {"name": "own", "kind": "landline", "tspu": True, "down": "2 Mbit/s", "delay": "12 ms"},
        {"name": "other", "kind": "landline", "tspu": True, "down": "16 Mbit/s", "delay": "12 ms"},
    ]
    assert plan.data["congestion_control"]["own"] == "reno"
    assert plan.data["congestion_control"]["other"] == "bbr"
    assert plan.data["congestion_control"]["origin"] == "cubic"


def test_two_lines_may_have_two_censors(tmp_path: Path) -> None:
    boxes = planned(tmp_path).data["boxes"]
    assert {box["line"]: profiles_of(box)[0]["name"] for box in boxes.values()} == {
        "own": "ru-tw-2021-report", "other": "ru-tw-2021a",
    }  # fmt: skip


def test_a_kind_is_what_it_is_like_for_a_censor(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    planned(tmp_path)
    late = make_plan(path, ["date=2021-05-18"], seed=None, engine="virtual", command=None)
    assert "spares landline lines" in late.data["without_box"]["other"]


@pytest.mark.parametrize(
    ("first", "topology", "server", "problem"),
    [
        ("{name: a, kind: isdn, tspu: true}", "russia2021", "origin",
         "9: lines.0.kind: no kind of line 'isdn' (there: mobile, landline, dsl)"),
        ("{name: a, kind: dsl, tspu: true, censor: nosuch}", "russia2021", "origin",
         "9: lines.0.censor: no censor profile or family 'nosuch'"),
        ("{name: a, kind: dsl, tspu: true, hops: 4}", "dumbbell", "server1",
         "lines: line a: this topology cannot set 'hops' for a line alone"),
        ("{name: a, kind: dsl, tspu: true, up: 3}", "russia2021", "origin", "9: lines.0.up: expected a rate such as"),
        ("{name: a, kind: dsl, tspu: true, hops: 4}", "russia2021", "origin",
         "lines: line a: blocker_after_hop: expected 1 to 3 (one less than hops), got 6"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_with_its_line(
    tmp_path: Path, first: str, topology: str, server: str, problem: str
) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        planned(tmp_path, first, topology, server)


def test_a_topology_that_builds_its_own_lines_takes_no_values_of_lines(tmp_path: Path) -> None:
    (tmp_path / "home.py").write_text("""\
from testbed.guest.network.topology import RoutedTopo

class Home(RoutedTopo):
    def construct(self):
        router = self.add_router("r1")
        for line in ("a", "other"):
            self.connect(self.add_client(line, line=line, network="100.64.0.0/10"), router)
        self.connect(router, self.add_server("origin", network="198.51.100.0/24"))

topos = {"home": Home}
""")
    with pytest.raises(ScenarioError, match=r"lines\.0\.down: this topology builds its lines itself"):
        planned(tmp_path, "{name: a, kind: landline, tspu: false, down: 3 Mbit/s}", "home.py")


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        ("{name: a, kind: landline, tspu: true, queue: true}", "lines.0.queue: expected a whole number, got True"),
        ("{name: a, kind: landline, tspu: true, queue: '10'}", "lines.0.queue: expected a whole number, got '10'"),
        ("{name: a, kind: landline, tspu: true, hops: 7.0}", "lines.0.hops: expected a whole number, got 7.0"),
        ("{name: a, kind: landline, tspu: 1}", "lines.0.tspu: expected true or false, got 1"),
        ("{name: a, kind: landline, tspu: 'yes'}", "lines.0.tspu: expected true or false, got 'yes'"),
    ],
)
def test_a_value_of_another_kind_is_not_made_to_fit(tmp_path: Path, first: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        planned(tmp_path, first)
