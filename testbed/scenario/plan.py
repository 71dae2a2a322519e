"""A scenario resolved into what the guest runs: plain JSON, every name checked, every default written out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from testbed.errors import ScenarioError
from testbed.guest.events import event_plan, planned_event
from testbed.guest.network.dual_stack import ipv6_of
from testbed.guest.network.impairment import impair
from testbed.guest.timed_event import EventError, RunSpan
from testbed.records.plan import LAST_SEED, asked_name, planned_transfers
from testbed.scenario.access import line_values
from testbed.scenario.background import plan_background
from testbed.scenario.boxes import Boxes
from testbed.scenario.density import LeastTimes, refuse_dense_schedule
from testbed.scenario.links import plan_links
from testbed.scenario.model import CAPTURE_PLACES, Evade, Replay, Scenario, load_scenario
from testbed.scenario.network import load_network
from testbed.scenario.place import Places
from testbed.scenario.transfers import Transfers
from testbed.scenario.variation import natural_links, vary_origins, vary_starts

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from testbed.guest.network.topology import RoutedTopo
    from testbed.guest.timed_event import TimedEvent
    from testbed.records.box_plan import BoxPlan
    from testbed.records.plan import CapturePlan, CommandPlan, DrawPlan, Phase, PlanDocument, ProgramsPlan, TransferPlan
    from testbed.scenario.place import Key

__all__ = ["Plan", "make_plan"]

FORMAT = 1
LONGEST_TRACED_S = 86_400
_LONGEST_COMMAND_S = 30 * 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Keep(TypedDict, total=False):
    keep: Literal["headers", "nothing"]


_KEEP: dict[str, _Keep] = {"whole": {}, "headers": {"keep": "headers"}, "compared": {"keep": "nothing"}}


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario, resolved.

    Attributes:
        name: Of the scenario's file.
        data: What the guest reads.
        topology: As planned, for delays and addresses.
    """

    name: str
    data: PlanDocument
    topology: RoutedTopo

    @property
    def transfers(self) -> list[TransferPlan]:
        """Every transfer of every line, in the plan's order."""
        return list(planned_transfers(self.data))

    @property
    def command(self) -> list[str] | None:
        """The user's program and its arguments, if the plan has one."""
        return next((phase["command"]["argv"] for phase in self.data["phases"] if phase["command"]), None)

    def addresses_of(self, leaf: str) -> list[str]:
        """Return the addresses of a client or server: IPv4, and IPv6 where the network has it."""
        address = self.topology.address_of(leaf)
        return [address, ipv6_of(address)] if "names6" in self.data else [address]

    def as_shell(self, also: Mapping[str, str]) -> Plan:
        """Return the plan with a shell in the place of its command: programs are named while the run goes on.

        Recordings are left out: nothing replays them.

        Args:
            also: Short names of nodes, which resolve beside their own.
        """
        last = self.data["phases"][-1]
        if last["command"] is None:
            raise ValueError("a shell takes the place of a command, and this plan has none")
        shell: Phase = {"lines": [], "command": {**last["command"], "is_shell": True, "also": {**also}}}
        return replace(self, data={**self.data, "phases": [shell]})

    def without_boxes(self) -> Plan:
        """Return the plan of the twin run: the same in all else, and every box is a cable from beginning to end."""
        boxes: dict[str, BoxPlan] = {
            name: {"line": box["line"], "profile": None, "seed": box["seed"]}
            for name, box in self.data["boxes"].items()
        }
        events = [event for event in self.data["events"] if not planned_event(event).acts_on_boxes()]
        return replace(self, data={**self.data, "boxes": boxes, "events": events})

    def path_of(self, transfer: TransferPlan) -> list[str]:
        """Return the nodes that a transfer's packets pass, from its client to its server."""
        server = self.data["replay_server"]
        if transfer["kind"] in {"fetch", "curl", "upload", "record"}:
            address = self.data["names"][str(asked_name(transfer))]
            server = next(
                node for node in self.topology.with_role("server") if self.topology.address_of(node) == address
            )
        if server is None:
            raise ValueError(f"the transfer {transfer['id']} has no server in this plan")
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
        path: The file.
        settings: ``key=value`` each.
        seed: Overrides the scenario's.
        engine: Name of the engine that is to run it.
        command: The user's program to run in place of the measurements, or None.
        line: The line that it runs on; None for the first.

    Raises:
        ScenarioError: File, line and what was expected.
    """
    if line is not None and command is None:
        raise ScenarioError(f"--line {line}: it says where a command runs, and there is none after --")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 1 <= seed <= LAST_SEED):
        raise ScenarioError(f"seed {seed!r}: expected a whole number from 1 to 2**63 - 1")
    scenario, document = load_scenario(path, settings, seed=seed)
    plan = _Resolver(path.stem, scenario, Places(path, document), seed or scenario.seed).plan(engine, command, line)
    drawn: list[DrawPlan] = [{"key": each.key, "written": each.written, "value": each.value} for each in document.drawn]
    plan.data["drawn"] = drawn + plan.data["drawn"]
    return plan


def _last_s(phases: list[Phase]) -> float:
    """Return when the last of the measurements begins; of a command nobody knows how long it lasts."""
    if any(phase["command"] is not None for phase in phases):
        return _LONGEST_COMMAND_S
    return max((each["at_s"] for phase in phases for line in phase["lines"] for each in line["transfers"]), default=0.0)


def _drawn(events: list[tuple[Key, TimedEvent]], topology: RoutedTopo, run: RunSpan) -> list[DrawPlan]:
    """Return what was drawn from the seed for events, as it stands in the manifest."""
    told = [(".".join(map(str, key)), event.drawn(topology, run)) for key, event in events]
    return [{"key": key, "written": each[0], "value": each[1]} for key, each in told if each is not None]


class _Resolver:
    """Resolves one scenario. The order of its checks is the order in which a user is told of errors."""

    def __init__(self, name: str, scenario: Scenario, places: Places, seed: int) -> None:
        self._name = name
        self._scenario = scenario
        self._places = places
        self._seed = seed
        self._network = load_network(scenario, places)
        self._topology = self._network.topology
        self._links = plan_links(scenario.links, self._topology, places, seed=seed, builder=scenario.network.links)
        impair(self._topology, self._links)
        if scenario.variation == "natural" and scenario.network.links == "netlink":
            natural = natural_links(self._topology, self._links, seed=seed)
            impair(self._topology, natural)
            self._links += natural

    def plan(self, engine: str, command: list[str] | None, line: str | None) -> Plan:
        scenario, topology = self._scenario, self._topology
        names = self._names()
        hosts = topology.with_role("client") + topology.with_role("server")
        boxes = Boxes(scenario, topology, self._places, self._seed)
        transfers = Transfers(scenario, topology, names, self._places)
        events = self._checked_events()
        control, phases = self._congestion_control(hosts), self._phases(transfers, command, line)
        # By whole microseconds: a float of seconds since 1970 has none left for the nanoseconds of a capture.
        start_ns = (scenario.date - _EPOCH) // timedelta(microseconds=1) * 1000
        run = RunSpan(start_ns=start_ns, last_s=_last_s(phases), seed=self._seed)
        planned_boxes = boxes.plan(events, run)
        data: PlanDocument = {
            "format": FORMAT,
            "scenario": self._name,
            "title": scenario.title,
            "seed": self._seed,
            "drawn": _drawn(events, topology, run),
            "engine": engine,
            "hello": scenario.hello,
            "start_ns": start_ns,
            "topology": self._network.plan,
            "links": self._links,
            "congestion_control": control,
            "boxes": planned_boxes,
            "names": names,
            "origins": transfers.origins(),
            "replay_server": self._replay_server(),
            "without_box": boxes.without_box,
            "captures": self._captures(planned_boxes),
            "phases": phases,
            "events": [event_plan(event) for _, event in events],
            "rtt_s": self._rtt_s(),
        }
        if programs := scenario.programs.model_dump(exclude_none=True):
            data["programs"] = cast("ProgramsPlan", programs)
        if scenario.variation == "natural":
            vary_origins(data["origins"], seed=self._seed)
            vary_starts(phases[-1], seed=self._seed)
        if scenario.has_ipv6:
            data["names6"] = {name: ipv6_of(address) for name, address in names.items()}
        if scenario.background:
            data["background"] = plan_background(
                scenario.background, topology, phases, control, self._places, seed=self._seed, ip=scenario.ip
            )
        self._refuse_long_traces(data)
        plan = Plan(self._name, data, topology)
        self._refuse_dense_schedule(plan)
        return plan

    def _refuse_dense_schedule(self, plan: Plan) -> None:
        every_s = self._places.every_s
        if every_s is not None:
            least = LeastTimes(self._topology, plan.data["origins"])
            lines = plan.data["phases"][-1]["lines"]
            refuse_dense_schedule(lines, every_s, lambda each: least.of(each, plan.path_of(each)), self._places)

    def _refuse_long_traces(self, data: PlanDocument) -> None:
        """A link that changes its rate many times a second leaves no idle time to be skipped."""
        last_s = max((transfer["at_s"] for transfer in planned_transfers(data)), default=0.0)
        for index, link in enumerate(data["links"]):
            if "trace" in link and last_s > LONGEST_TRACED_S:
                raise self._places.error(
                    ("links", index, "trace"),
                    f"a run with a trace may begin its last measurement after {LONGEST_TRACED_S} s at most, and one "
                    f"here begins at {last_s:g} s; say a rate, or measure sooner",
                )

    def _congestion_control(self, hosts: list[str]) -> dict[str, str]:
        """By host; a line may have another for its client."""
        found: dict[str, str] = dict.fromkeys(hosts, self._scenario.congestion_control)
        for line in self._scenario.lines:
            own = line_values(line, self._scenario.kinds).get("congestion_control")
            if own is not None:
                found[self._topology.client_of(line.name)] = str(own)
        return found

    def _rtt_s(self) -> dict[str, dict[str, float]]:
        return {
            line.name: {
                server: self._topology.rtt_s(self._topology.client_of(line.name), server)
                for server in self._topology.with_role("server")
            }
            for line in self._scenario.lines
        }

    def _server(self, key: Key, name: str) -> str:
        servers = self._topology.with_role("server")
        if name not in servers:
            raise self._places.error(key, f"no server {name!r} in this topology (there: {', '.join(servers)})")
        return name

    def _replay_server(self) -> str | None:
        name, key = self._scenario.replay_server, ("replay_server",)
        if name is None:
            for kind, what in ((Replay, "a replay"), (Evade, "an evasion")):
                if any(isinstance(each, kind) for each in self._scenario.measurements):
                    raise self._places.error(key, f"this key is missing: {what} needs a server at its far end")
            return None
        if name in self._scenario.origins:  # nginx is on port 443 there, on which the far end must listen
            raise self._places.error(key, f"{name} is an origin; its port 443 is taken: choose another server")
        return self._server(key, name)

    def _names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for node, origin in self._scenario.origins.items():
            address = self._topology.address_of(self._server(("origins", node), node))
            for index, name in enumerate(origin.serves):
                if name in names:
                    raise self._places.error(
                        ("origins", node, "serves", index), f"{name} is served by another origin already"
                    )
                names[name] = address
        return names

    def _captures(self, boxes: Container[str]) -> list[CapturePlan]:
        points: list[CapturePlan] = []
        for kind in CAPTURE_PLACES:
            kept = self._scenario.captures.get(kind)
            if kept is None:
                continue
            keep = _KEEP[kept]
            for node in self._topology.with_role(kind):
                if kind != "box":
                    points.append({"name": f"{node}-{kind}", "node": node, "interface": "eth0", **keep})
                elif node in boxes or self._topology.nodeInfo(node)["kind"] in self._scenario.censors:
                    points.append({"name": f"{node}-inside", "node": node, "interface": "eth0", **keep})
                    points.append({"name": f"{node}-outside", "node": node, "interface": "eth1", **keep})
        return points

    def _phases(self, transfers: Transfers, command: list[str] | None, line: str | None) -> list[Phase]:
        """Recordings first, one line after the other; then all lines side by side."""
        # Side by side, two recordings would share a bottleneck, and a replay would then play the congestion of both.
        phases: list[Phase] = [{"lines": [recorded], "command": None} for recorded in transfers.recordings()]
        place = self._scenario.lines[0].name if line is None else line
        if place not in {each.name for each in self._scenario.lines}:
            known = ", ".join(each.name for each in self._scenario.lines)
            raise ScenarioError(f"--line {place}: no such line in this scenario (there: {known})")
        if command is None:
            return [*phases, {"lines": transfers.measurements(), "command": None}]
        user_command: CommandPlan = {"node": self._topology.client_of(place), "argv": command}
        return [*phases, {"lines": [], "command": user_command}]

    def _checked_events(self) -> list[tuple[Key, TimedEvent]]:
        """Outages and other events, in the order in which the scenario has them. An outage is an event like others."""
        events: list[tuple[Key, TimedEvent]] = [
            (("outages", index), outage) for index, outage in enumerate(self._scenario.outages)
        ]
        for index, event in enumerate(self._scenario.events):
            events.append((("events", index, event_plan(event)["kind"]), event))
        for key, event in events:
            try:
                event.check(self._topology)
            except EventError as error:
                raise self._places.error((*key, error.key), error.problem) from error
        for at, (key, event) in enumerate(events):
            for _, other in events[:at]:
                if problem := event.contradicts(other):
                    raise self._places.error(key, problem)
        return events
