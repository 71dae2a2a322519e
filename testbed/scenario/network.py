"""The topology of a scenario: found, built with the scenario's parameters, and held against the scenario's lines."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.errors import ScenarioError
from testbed.guest.events.placement import Placement
from testbed.guest.network.build import topology_class
from testbed.guest.network.lines import SPARE_PLACES
from testbed.guest.network.parameter import ParameterError
from testbed.scenario import library
from testbed.scenario.access import base_kind, line_values, topology_values

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.plan import TopologyPlan
    from testbed.scenario.model import Line, Scenario
    from testbed.scenario.place import Places

__all__ = ["Network", "load_network"]


@dataclass(frozen=True, slots=True)
class Network:
    """A topology as built for a scenario.

    Attributes:
        topology: The topology itself, for roles, addresses and delays.
        plan: What the guest needs to build the same one.
    """

    topology: RoutedTopo
    plan: TopologyPlan


def load_network(scenario: Scenario, places: Places) -> Network:
    """Build the topology that a scenario names.

    Raises:
        ScenarioError: There is none, it cannot be built, or its lines are not those of the scenario.
    """
    _check_kinds(scenario, places)
    file, cls = _find(scenario, places)
    parameters = _parameters(scenario, cls, places)
    topology = _build(file, cls, parameters, places)
    _check_lines(scenario, topology, places)
    plan: TopologyPlan = {
        "file": str(file.resolve()), "name": file.stem, "parameters": parameters, "links": scenario.network.links,
    }  # fmt: skip
    return Network(topology, plan)


def _check_kinds(scenario: Scenario, places: Places) -> None:
    for index, line in enumerate(scenario.lines):
        if base_kind(line, scenario.kinds) is None:
            known = ", ".join(["mobile", "landline", *scenario.kinds])
            raise places.error(("lines", index, "kind"), f"no kind of line {line.kind!r} (there: {known})")


def _find(scenario: Scenario, places: Places) -> tuple[Path, type[RoutedTopo]]:
    try:
        path = library.find("topologies", places.beside(scenario.network.topology))
        return path, topology_class(str(path), path.stem)
    except ScenarioError as error:
        raise places.error(("network", "topology"), str(error)) from error


def _parameters(scenario: Scenario, cls: type[RoutedTopo], places: Places) -> dict[str, object]:
    """Return the scenario's parameters, and its lines where the topology builds lines from them."""
    given = scenario.network.parameters
    if "lines" in given:
        raise places.error(("network", "parameters", "lines"), "the lines stand at the top of the scenario")
    for name in given:
        if name not in cls.parameters:  # Mininet's constructor takes some names more, and does something else with them
            known = ", ".join(cls.parameters) or "none"
            raise places.error(("network", "parameters", name), f"unknown parameter (known: {known})")
    # A topology that draws its own lines has no such parameter; `_check_lines` holds them against the scenario's.
    if "lines" not in cls.parameters:
        for index, line in enumerate(scenario.lines):
            own = line_values(line, scenario.kinds).keys() - {"censor", "blocker", "congestion_control"}
            if own:
                problem = "this topology builds its lines itself, so this would have no effect; remove it"
                raise places.error(("lines", index, min(own)), problem)
        return dict(given)
    lines = [topology_values(line, scenario.kinds) for line in scenario.lines]
    _add_spare_places(lines, scenario, cls, places)
    return {**given, "lines": lines}


def _add_spare_places(
    lines: list[dict[str, object]], scenario: Scenario, cls: type[RoutedTopo], places: Places
) -> None:
    """Say of each line where else its box stands at some time, as events have it."""
    for index, event in enumerate(scenario.events):
        if not isinstance(event, Placement) or event.after_hop is None:
            continue
        key = ("events", index, "placement", "after_hop")
        for line in lines:
            if not line["tspu"] or (event.lines is not None and line["name"] not in event.lines):
                continue
            there = line.setdefault(SPARE_PLACES, [])
            if isinstance(there, list) and event.after_hop not in there:
                there.append(event.after_hop)
        try:
            cls(**scenario.network.parameters, lines=lines)
        except ScenarioError as error:
            problem = f"the box cannot stand there: {error}"
            if SPARE_PLACES in str(error):
                problem = "this topology has no other place for a box; say none, or take the topology russia2021"
            raise places.error(key, problem) from error


def _build(file: Path, cls: type[RoutedTopo], parameters: dict[str, object], places: Places) -> RoutedTopo:
    try:
        return cls(**parameters)
    except ParameterError as error:
        key = ("lines",) if error.parameter == "lines" else ("network", "parameters", error.parameter)
        raise places.error(key, error.problem) from error
    except ScenarioError as error:
        raise places.error(("network", "topology"), str(error)) from error
    except Exception as error:  # the topology is the user's code, and may raise anything
        where = _last_line_in(error, file)
        raise places.error(("network", "topology"), f"{where}: {type(error).__name__}: {error}") from error


def _last_line_in(error: BaseException, path: Path) -> str:
    """Return where in a file an error came from: ``file:line``."""
    steps = [step for step in traceback.extract_tb(error.__traceback__) if Path(step.filename) == path]
    return f"{path}:{steps[-1].lineno}" if steps else str(path)


def _check_lines(scenario: Scenario, topology: RoutedTopo, places: Places) -> None:
    """Every line of the scenario has a client in the topology, and the other way round."""
    built = {topology.nodeInfo(client)["line"] for client in topology.with_role("client")}
    # In the order of the file, so that a user is told of the first mistake first.
    for index, line in enumerate(scenario.lines):
        if line.name not in built:
            raise places.error(("lines", index), f"the topology has no line {line.name!r} (there: {', '.join(built)})")
        _check_box(index, line, topology, places)
        if line.name in {each.name for each in scenario.lines[:index]}:
            raise places.error(("lines", index, "name"), f"another line is called {line.name!r} already")
    # A line that is not measured would still cost a client and its captures, and nobody would have asked for it.
    surplus = built - {line.name for line in scenario.lines}
    if surplus:
        raise places.error(("lines",), f"the topology's line {min(surplus)!r} is missing here")


def _check_box(index: int, line: Line, topology: RoutedTopo, places: Places) -> None:
    """A topology that builds its lines itself may put a TSPU where the scenario says that none stands."""
    boxes = (topology.nodeInfo(node) for node in topology.with_role("box"))
    has_box = any((box["line"], box["kind"]) == (line.name, "tspu") for box in boxes)
    if has_box != line.tspu:
        what = "puts a TSPU on this line" if has_box else "has no TSPU on this line"
        raise places.error(
            ("lines", index, "tspu"),
            f"the topology {what}; say tspu: {str(has_box).lower()}, or change its add_box",
        )
