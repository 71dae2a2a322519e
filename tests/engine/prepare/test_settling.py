"""Links come up before a run begins, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.engine import ENGINES
from testbed.engine.prepare.settling import settled_clock
from testbed.scenario import library
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from tests.conftest import Runner

MANY = 30  # lines: six hundred ends of links, which the kernel needs six seconds for


def planned(lines: int, engine: str = "virtual") -> Plan:
    return make_plan(library.find("scenarios", "2021-03-10"), settings(lines), seed=None, engine=engine, command=None)


def settings(lines: int) -> list[str]:
    names = ", ".join(f"{{name: line{number}, kind: mobile, tspu: true}}" for number in range(lines))
    return [
        f"lines=[{names}]", "recordings=[]", "captures={client: headers, box: compared}",
        "measurements=[{fetch: t.co, role: target, size: 20 kB}]",
    ]  # fmt: skip


def test_a_small_network_in_virtual_time_gets_the_clock_of_its_engine() -> None:
    for lines in (1, 8):
        assert settled_clock(planned(lines), ENGINES["virtual"]) == ENGINES["virtual"].clock


def test_a_large_network_gets_the_more_time_the_more_links_it_has() -> None:
    clocks = [settled_clock(planned(lines), ENGINES["virtual"]) for lines in (MANY, 2 * MANY)]
    assert all(clock["looks_at_links"] for clock in clocks)
    assert 6 < clocks[0]["settle_s"] < clocks[1]["settle_s"] <= 2 * clocks[0]["settle_s"]


@pytest.mark.parametrize("engine", ["realtime", "native"])
def test_on_a_wall_clock_the_guest_always_looks(engine: str) -> None:
    clock = settled_clock(planned(1, engine), ENGINES[engine])
    assert clock == {**ENGINES[engine].clock, "looks_at_links": True}


def test_the_first_packet_of_many_lines_arrives(run_scenario: Runner) -> None:
    run = run_scenario(*settings(MANY))
    connected = [each["t"] for each in run.records.each_measurement() if each["event"] == "connected"]
    assert len(connected) == MANY
    assert max(connected) < 1  # a SYN that was lost is sent again after a second
