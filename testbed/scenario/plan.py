"""A scenario resolved into what the guest runs: plain JSON, every name checked, every default written out."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.errors import ScenarioError
from testbed.guest.network.build import topology_class
from testbed.guest.network.topology import ParameterError, RoutedTopo
from testbed.scenario import library
from testbed.scenario.model import Evade, Fetch, Line, Replay, Scenario, load_scenario
from testbed.scenario.profiles import CensorProfile, profile_for, why_no_box
from testbed.traffic.evasion import EVASIONS, make_evasion
from testbed.traffic.options import OptionError, known_options

if TYPE_CHECKING:
    from testbed.scenario.document import Document

__all__ = ["Plan", "make_plan"]

FORMAT = 1
_BOX_KINDS = ("tspu", "blocker")
_MOST_OBJECT_BYTES = 128_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario, resolved.

    Attributes:
        name: of the scenario file.
        data: what the guest reads (plain JSON).
        topology: as planned, for delays and addresses.
    """

    name: str
    data: dict[str, Any]
    topology: RoutedTopo

    @property
    def transfers(self) -> list[dict[str, Any]]:
        """Every transfer of every line, in the plan's order."""
        return [each for phase in self.data["phases"] for line in phase["lines"] for each in line["transfers"]]

    @property
    def command(self) -> list[str] | None:
        """The user's program and its arguments, if the plan has one."""
        return next((phase["command"]["argv"] for phase in self.data["phases"] if phase["command"]), None)

    def way_of(self, transfer: dict[str, Any]) -> list[str]:
        """The nodes that a transfer's packets pass, from its client to its server."""
        server = self.data["replay_server"]
        if transfer["kind"] in {"fetch", "curl", "record"}:
            address = self.data["names"][transfer["sni"]]
            server = next(
                node for node in self.topology.with_role("server") if self.topology.address_of(node) == address
            )
        return self.topology.path(self.topology.client_of(transfer["line"]), server)


def make_plan(
    path: Path,
    settings: list[str],
    *,
    seed: int | None,
    engine: str,
    command: list[str] | None,
    line: str | None = None,
) -> Plan:
    """Read and resolve a scenario.

    Args:
        path: the file.
        settings: ``key=value`` each.
        seed: overrides the scenario's.
        engine: ``virtual`` or ``realtime``.
        command: the user's program to run in place of the measurements, or None.
        line: the line that it runs on; None for the first.

    Raises:
        ScenarioError: file, line and what was expected.
    """
    if line is not None and command is None:
        raise ScenarioError(f"--line {line}: it says where a command runs, and there is none after --")
    scenario, document = load_scenario(path, settings)
    return _Resolver(path, scenario, document, seed or scenario.seed).plan(engine, command, line)


class _Resolver:
    def __init__(self, path: Path, scenario: Scenario, document: Document, seed: int) -> None:
        self._path = path
        self._name = path.stem
        self._scenario = scenario
        self._document = document
        self._seed = seed
        self._censors: dict[tuple[str, str], tuple[CensorProfile | None, str | None]] = {}
        self._without_box: dict[str, str] = {}
        self._topology_file, self._topology_class = self._find_topology()
        self._parameters = self._topology_parameters()
        self._topology = self._load_topology()
        self._check_lines()

    def _error(self, key: tuple[str | int, ...], text: str) -> ScenarioError:
        return ScenarioError(f"{self._document.place(key)}: {'.'.join(map(str, key))}: {text}")

    def _find_topology(self) -> tuple[Path, type[RoutedTopo]]:
        try:
            path = library.find("topologies", str(self._beside(self._scenario.network.topology)))
            return path, topology_class(str(path), path.stem)
        except ScenarioError as error:
            raise self._error(("network", "topology"), str(error)) from error

    def _beside(self, name: str | None) -> str | None:
        """A path in a scenario counts from the scenario's file; what is none there is left as it is."""
        if name is None or not name.endswith((".py", ".yaml")):
            return name
        place = self._path.parent / name
        return str(place) if place.is_file() else name

    def _topology_parameters(self) -> dict[str, Any]:
        """The scenario's parameters, and its lines where the topology builds lines from them."""
        given = self._scenario.network.parameters
        if "lines" in given:
            raise self._error(("network", "parameters", "lines"), "the lines stand at the top of the scenario")
        if "lines" not in self._topology_class.parameters:
            return dict(given)
        return {**given, "lines": [line.model_dump() for line in self._scenario.lines]}

    def _load_topology(self) -> RoutedTopo:
        try:
            return self._topology_class(**self._parameters)
        except ParameterError as error:
            key = ("lines",) if error.parameter == "lines" else ("network", "parameters", error.parameter)
            raise self._error(key, error.problem) from error
        except ScenarioError as error:
            raise self._error(("network", "topology"), str(error)) from error
        except Exception as error:  # the user's code: whatever it raises
            where = _last_line_in(error, self._topology_file)
            raise self._error(("network", "topology"), f"{where}: {type(error).__name__}: {error}") from error

    def _check_lines(self) -> None:
        """Every line of the scenario has a client in the topology, and the other way round."""
        built = {self._topology.nodeInfo(client)["line"] for client in self._topology.with_role("client")}
        for index, line in enumerate(self._scenario.lines):
            if line.name not in built:
                raise self._error(
                    ("lines", index), f"the topology has no line {line.name!r} (there: {', '.join(built)})"
                )
            self._check_box(index, line)
            if line.name in {each.name for each in self._scenario.lines[:index]}:
                raise self._error(("lines", index, "name"), f"another line is called {line.name!r} already")
        surplus = built - {line.name for line in self._scenario.lines}
        if surplus:
            raise self._error(("lines",), f"the topology's line {min(surplus)!r} is missing here")

    def _check_box(self, index: int, line: Line) -> None:
        """A topology that builds its lines itself may put a TSPU where the scenario says that none stands."""
        places = (self._topology.nodeInfo(node) for node in self._topology.with_role("box"))
        has_box = any((place["line"], place["kind"]) == (line.name, "tspu") for place in places)
        if has_box != line.tspu:
            what = "puts a TSPU on this line" if has_box else "has no TSPU on this line"
            raise self._error(
                ("lines", index, "tspu"),
                f"the topology {what}; say tspu: {str(has_box).lower()}, or change its add_box",
            )

    def plan(self, engine: str, command: list[str] | None, line: str | None) -> Plan:
        scenario, topology = self._scenario, self._topology
        names = self._names()
        hosts = topology.with_role("client") + topology.with_role("server")
        data = {
            "format": FORMAT,
            "scenario": self._name,
            "title": scenario.title,
            "seed": self._seed,
            "engine": engine,
            "hello": scenario.hello,
            "start_ns": (scenario.date - _EPOCH) // timedelta(microseconds=1) * 1000,
            "topology": {
                "file": str(self._topology_file.resolve()),
                "name": self._topology_file.stem,
                "parameters": self._parameters,
                "links": scenario.network.links,
            },
            "congestion_control": dict.fromkeys(hosts, scenario.congestion_control),
            "boxes": self._boxes(),
            "names": names,
            "origins": self._origins(),
            "replay_server": self._replay_server(),
            "without_box": self._without_box,
            "captures": self._captures(),
            "phases": self._phases(names, command, line),
            "outages": self._outages(),
            "rtt_s": {
                line.name: {
                    server: topology.rtt_s(topology.client_of(line.name), server)
                    for server in topology.with_role("server")
                }
                for line in scenario.lines
            },
        }
        return Plan(self._name, data, topology)

    def _server(self, key: tuple[str | int, ...], name: str) -> str:
        servers = self._topology.with_role("server")
        if name not in servers:
            raise self._error(key, f"no server {name!r} in this topology (there: {', '.join(servers)})")
        return name

    def _replay_server(self) -> str | None:
        name = self._scenario.replay_server
        if name is None:
            for kind, what in ((Replay, "a replay"), (Evade, "an evasion")):
                if any(isinstance(each, kind) for each in self._scenario.measurements):
                    raise self._error(("replay_server",), f"this key is missing: {what} needs a server at its far end")
            return None
        if name in self._scenario.origins:
            raise self._error(("replay_server",), f"{name} is an origin; its port 443 is taken: choose another server")
        return self._server(("replay_server",), name)

    def _names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for node, origin in self._scenario.origins.items():
            address = self._topology.address_of(self._server(("origins", node), node))
            for index, name in enumerate(origin.serves):
                if name in names:
                    raise self._error(("origins", node, "serves", index), f"{name} is served by another origin already")
                names[name] = address
        return names

    def _boxes(self) -> dict[str, dict[str, Any]]:
        for kind in self._scenario.censors:
            if kind not in _BOX_KINDS:
                raise self._error(("censors", kind), f"unknown kind of middlebox (known: {', '.join(_BOX_KINDS)})")
        kinds = {line.name: line.kind for line in self._scenario.lines}
        boxes = {}
        for node in self._topology.with_role("box"):
            info = self._topology.nodeInfo(node)
            censor = self._beside(self._scenario.censors.get(info["kind"]))
            if censor is None:
                continue
            chosen, why = self._censor(info["kind"], censor, kinds[info["line"]])
            if chosen is None:
                self._without_box[info["line"]] = str(why)
                continue
            boxes[node] = {
                "line": info["line"], "profile": self._with_meter(chosen.plain), "seed": self._derived_seed(node),
            }  # fmt: skip
        return boxes

    def _censor(self, place: str, name: str, line_kind: str) -> tuple[CensorProfile | None, str | None]:
        """The profile of a place on a line of some kind; or None and why there is no box. Read once a kind of line."""
        key = (place, line_kind)
        if key not in self._censors:
            try:
                chosen = profile_for(name, self._scenario.date, line_kind)
                why = None if chosen else why_no_box(name, self._scenario.date, line_kind)
            except ScenarioError as error:
                raise self._error(("censors", place), str(error)) from error
            self._censors[key] = (chosen, why)
        return self._censors[key]

    def _with_meter(self, profile: dict[str, Any]) -> dict[str, Any]:
        meter = self._scenario.meter
        if meter is None:
            return profile
        if meter not in profile.get("meter", {}):
            raise self._error(("meter",), f"the profile {profile['name']} describes no {meter}")
        return {**profile, "meter": {**profile["meter"], "kind": meter}}

    def _derived_seed(self, name: str) -> int:
        """A seed of its own for each box, from the run's seed and the box's name."""
        return int.from_bytes(hashlib.sha256(f"{self._seed} {name}".encode()).digest()[:8], "big")

    def _origins(self) -> dict[str, dict[str, Any]]:
        sizes: dict[tuple[str | int, ...], int] = {
            ("measurements", index, "size"): each.size
            for index, each in enumerate(self._scenario.measurements)
            if isinstance(each, Fetch)
        }
        sizes |= {("recordings", index, "size"): each.size for index, each in enumerate(self._scenario.recordings)}
        objects = {_object_path(size): size for size in sorted(set(sizes.values()))}
        if sum(objects.values()) * len(self._scenario.origins) > _MOST_OBJECT_BYTES:
            raise self._error(
                max(sizes, key=lambda key: sizes[key]),
                f"too large: every origin keeps an object of each size in the guest's memory, which has room for "
                f"{_MOST_OBJECT_BYTES // 1_000_000} MB of them",
            )
        return {node: {"names": origin.serves, "objects": objects} for node, origin in self._scenario.origins.items()}

    def _captures(self) -> list[dict[str, str]]:
        points = []
        for kind in ("client", "server", "box"):
            if kind not in self._scenario.captures:
                continue
            for node in self._topology.with_role(kind):
                if kind != "box":
                    points.append({"name": f"{node}-{kind}", "node": node, "interface": "eth0"})
                elif self._topology.nodeInfo(node)["kind"] in self._scenario.censors:
                    points.append({"name": f"{node}-inside", "node": node, "interface": "eth0"})
                    points.append({"name": f"{node}-outside", "node": node, "interface": "eth1"})
        return points

    def _phases(self, names: dict[str, str], command: list[str] | None, line: str | None) -> list[dict[str, Any]]:
        """Recordings first, one line after the other's; then all lines side by side."""
        recordings = [
            {"lines": [recorded], "command": None}
            for recorded in self._line_plans(
                [(index, each) for index, each in enumerate(self._scenario.recordings)], names
            )
        ]
        place = self._scenario.lines[0].name if line is None else line
        if place not in {each.name for each in self._scenario.lines}:
            known = ", ".join(each.name for each in self._scenario.lines)
            raise ScenarioError(f"--line {place}: no such line in this scenario (there: {known})")
        user_command = None if command is None else {"node": self._topology.client_of(place), "argv": command}
        lines = [] if command is not None else self._measurement_lines(names)
        return [*recordings, {"lines": lines, "command": user_command}]

    def _line_plans(self, recordings: list[tuple[int, Any]], names: dict[str, str]) -> list[dict[str, Any]]:
        plans: dict[str, dict[str, Any]] = {}
        for index, recording in recordings:
            key = ("recordings", index)
            if recording.name in {each.name for _, each in recordings[:index]}:
                raise self._error((*key, "name"), f"another recording is called {recording.name!r} already")
            self._check_name((*key, "sni"), recording.sni, names)
            node = self._client((*key, "line"), recording.line)
            transfer = {
                "id": f"{recording.line}/record-{recording.name}", "line": recording.line, "kind": "record",
                "sni": recording.sni, "name": f"record {recording.name}", "role": "recording", "direction": "download",
                "path": _object_path(recording.size), "size": recording.size, "recording": f"{recording.name}.json",
                "inverted": False, "at_s": 0.0, "timeout_s": 120.0,
            }  # fmt: skip
            plan = plans.setdefault(recording.line, {"name": recording.line, "node": node, "transfers": []})
            plan["transfers"].append(transfer)
        return list(plans.values())

    def _measurement_lines(self, names: dict[str, str]) -> list[dict[str, Any]]:
        plans = []
        for line in self._scenario.lines:
            transfers = [
                self._transfer(index, line.name, measurement, names)
                for index, measurement in enumerate(self._scenario.measurements)
                if measurement.lines is None or line.name in measurement.lines
            ]
            if transfers:
                plans.append({"name": line.name, "node": self._client(("lines",), line.name), "transfers": transfers})
        for index, measurement in enumerate(self._scenario.measurements):
            for name in measurement.lines or []:
                self._client(("measurements", index, "lines"), name)
        return plans

    def _transfer(
        self, index: int, line: str, measurement: Fetch | Replay | Evade, names: dict[str, str]
    ) -> dict[str, Any]:
        timing = {"at_s": measurement.at, "timeout_s": measurement.timeout, "line": line, "role": measurement.role}
        if isinstance(measurement, Fetch):
            self._check_name(("measurements", index, "fetch"), measurement.fetch, names)
            return {
                "id": f"{line}/{index + 1:02}-{measurement.fetch}", "name": measurement.fetch,
                "kind": "fetch" if measurement.client == "measure" else "curl", "sni": measurement.fetch,
                "direction": "download", "path": _object_path(measurement.size), "size": measurement.size, **timing,
            }  # fmt: skip
        if isinstance(measurement, Evade):
            return {**self._evasion(index, line, measurement), **timing}
        recording = next((each for each in self._scenario.recordings if each.name == measurement.replay), None)
        if recording is None:
            known = ", ".join(each.name for each in self._scenario.recordings) or "none"
            raise self._error(
                ("measurements", index, "replay"),
                f"no recording {measurement.replay!r} in this scenario (there: {known})",
            )
        variant = "inverted" if measurement.inverted else "original"
        return {
            "id": f"{line}/{index + 1:02}-{recording.name}-{measurement.direction}-{variant}",
            "name": f"replay {recording.name}, {measurement.direction}, {variant}", "kind": "replay",
            "sni": None if measurement.inverted else recording.sni, "direction": measurement.direction,
            "recording": f"{recording.name}.json", "inverted": measurement.inverted, **timing,
        }  # fmt: skip

    def _evasion(self, index: int, line: str, measurement: Evade) -> dict[str, Any]:
        key = ("measurements", index)
        if measurement.evade not in EVASIONS:
            raise self._error((*key, "evade"), f"no evasion {measurement.evade!r} (there: {', '.join(EVASIONS)})")
        try:
            evasion = make_evasion(measurement.evade, measurement.options)
        except OptionError as error:
            raise self._error((*key, "options", error.option), error.problem) from error
        given = ", ".join(f"{name} {value}" for name, value in measurement.options.items())
        return {
            "id": f"{line}/{index + 1:02}-{measurement.evade}",
            "name": f"{measurement.evade} ({given})" if given else measurement.evade, "kind": "evade",
            "sni": measurement.sni, "direction": "download", "evasion": measurement.evade,
            "options": known_options(evasion), "size": measurement.size, "published": measurement.published,
        }  # fmt: skip

    def _check_name(self, key: tuple[str | int, ...], name: str, names: dict[str, str]) -> None:
        if name not in names:
            raise self._error(key, f"no origin serves {name}; add it to an origin's 'serves'")

    def _client(self, key: tuple[str | int, ...], line: str) -> str:
        try:
            return self._topology.client_of(line)
        except KeyError:
            known = ", ".join(each.name for each in self._scenario.lines)
            raise self._error(key, f"no line {line!r} (there: {known})") from None

    def _outages(self) -> list[dict[str, Any]]:
        spans = []
        pairs = {frozenset(pair) for pair in self._topology.iterLinks()}
        for index, outage in enumerate(self._scenario.outages):
            if frozenset(outage.link) not in pairs:
                raise self._error(("outages", index, "link"), f"no link between {' and '.join(outage.link)}")
            boxes = [end for end in outage.link if self._topology.role(end) == "box"]
            if boxes:
                raise self._error(("outages", index, "link"), f"{boxes[0]} is a middlebox; choose another link to fail")
            spans.append(
                {"from_s": outage.begins, "until_s": outage.until, "link": list(outage.link), "about": outage.about}
            )
        return spans


def _last_line_in(error: BaseException, path: Path) -> str:
    """Where in a file an error came from: ``file:line``."""
    steps = [step for step in traceback.extract_tb(error.__traceback__) if Path(step.filename) == path]
    return f"{path}:{steps[-1].lineno}" if steps else str(path)


def _object_path(size: int) -> str:
    return f"/{size}.bin"
