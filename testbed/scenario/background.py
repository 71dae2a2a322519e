"""What a scenario may say of background traffic, and what of it goes into the plan."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, StrictInt, Tag, WithJsonSchema, model_validator

from testbed.guest.timed_event import RunTime, parse_run_time
from testbed.quantities import parse_rate, parse_size
from testbed.scenario.access import CongestionControl, Strict
from testbed.scenario.draws import draw_many
from testbed.traffic.datagram_flow import LEAST_PACKET_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.background import BackgroundKind, BackgroundPlan
    from testbed.records.plan import Phase, TransferPlan
    from testbed.scenario.place import Key, Places

__all__ = ["Background", "latest_end_s", "plan_background"]

OBJECTS = 1000
_FIRST_PORT = 5001  # iperf's, and below those that Linux chooses itself
_MOST_ENTRIES = 100
_MOST_FLOWS = 64
_MOST_PACKET_BYTES = 1500
_MOST_PACKETS_A_SECOND = 50_000
_LEAST_RATE_BPS, _MOST_RATE_BPS = 1_000, 1_000_000_000
_BITS = 8
_LONGEST_LEAD_S = 3600.0


def _parse_packet(text: object) -> int:
    size = parse_size(text)
    if not LEAST_PACKET_BYTES[4] <= size <= _MOST_PACKET_BYTES:
        raise ValueError(f"expected a packet of {LEAST_PACKET_BYTES[4]} B to {_MOST_PACKET_BYTES} B, got {text!r}")
    return size


def _parse_udp_rate(text: object) -> int:
    rate_bps = parse_rate(text)
    if not _LEAST_RATE_BPS <= rate_bps <= _MOST_RATE_BPS:
        raise ValueError(f"expected a rate from 1 kbit/s to 1 Gbit/s, got {text!r}")
    return rate_bps


def _text(value: object) -> str:
    """Keep what is written: it may be a distribution, from which each object draws."""
    return str(value)


Hosts = tuple[str, str]
Distribution = Annotated[
    str,
    BeforeValidator(_text),
    WithJsonSchema({"type": ["string", "integer"], "description": "a quantity, or a distribution to draw each from"}),
]


class _Entry(Strict):
    """When it goes on: from one instant to another, or beside measurements."""

    from_: RunTime | None = Field(default=None, alias="from")
    until: RunTime | None = None
    beside: str | None = None
    lead: RunTime | None = None
    ip: Literal[4, 6] | None = None

    @model_validator(mode="after")
    def _either_instants_or_measurements(self) -> _Entry:
        if self.beside is not None and (self.from_ is not None or self.until is not None):
            raise ValueError("'beside' says when it goes on; remove 'from' and 'until', or 'beside'")
        if self.lead is not None and self.beside is None:
            raise ValueError("'lead' is a time before a measurement; say which one by 'beside'")
        if self.lead is not None and self.lead > _LONGEST_LEAD_S:
            raise ValueError(
                f"expected a 'lead' of at most 1 h, got {self.lead / 3600:g} h; each measurement waits for it"
            )
        if self.until is not None and self.until <= (self.from_ or 0.0):
            raise ValueError(f"expected 'until' after 'from', got {self.from_ or 0.0:g} s to {self.until:g} s")
        return self


class Bulk(_Entry):
    """TCP connections that are always full."""

    bulk: Hosts
    flows: StrictInt = Field(default=1, ge=1, le=_MOST_FLOWS)
    congestion_control: CongestionControl | None = None


class Udp(_Entry):
    """Datagrams at a rate."""

    udp: Hosts
    rate: Annotated[int, BeforeValidator(_parse_udp_rate), WithJsonSchema({"type": "string"})]
    arrivals: Literal["constant", "poisson"] = "constant"
    packet: Annotated[int, BeforeValidator(_parse_packet), WithJsonSchema({"type": "string"})] = 1000

    @model_validator(mode="after")
    def _packets_that_can_be_sent(self) -> Udp:
        each_second = self.rate / (self.packet * _BITS)
        if each_second > _MOST_PACKETS_A_SECOND:
            raise ValueError(
                f"{each_second:.0f} packets a second are more than {_MOST_PACKETS_A_SECOND}; send larger ones"
            )
        return self


class Web(_Entry):
    """TCP connections with one object after the other, and pauses between them."""

    web: Hosts
    size: Distribution
    pause: Distribution
    flows: StrictInt = Field(default=1, ge=1, le=_MOST_FLOWS)
    congestion_control: CongestionControl | None = None


_KINDS = ("bulk", "udp", "web")


def _kind(value: object) -> str | None:
    if isinstance(value, dict):
        kinds = [kind for kind in _KINDS if kind in value]
        return kinds[0] if len(kinds) == 1 else None
    return None


Background = Annotated[
    Annotated[Bulk, Tag("bulk")] | Annotated[Udp, Tag("udp")] | Annotated[Web, Tag("web")],
    Discriminator(
        _kind,
        custom_error_type="background_kind",
        custom_error_message="expected a mapping with exactly one of the keys 'bulk', 'udp' and 'web'",
    ),
]

_DEFAULT_LEAD_S = 1.0
IPV6: Final = 6


def plan_background(
    entries: list[Bulk | Udp | Web],
    topology: RoutedTopo,
    phases: list[Phase],
    control: Mapping[str, str],
    places: Places,
    *,
    seed: int,
    ip: Literal[4, 6] = 4,
) -> list[BackgroundPlan]:
    """Resolve a scenario's background traffic.

    Args:
        entries: As the scenario has them.
        topology: With the hosts.
        phases: Of the plan: what it stands beside.
        control: Congestion control by host.
        places: For errors.
        seed: Of the run.
        ip: Over which IP an entry goes that says nothing of it.

    Raises:
        ScenarioError: A host that is not there, an entry that no measurement matches, or that begins after the run.
    """
    if len(entries) > _MOST_ENTRIES:
        raise places.error(("background",), f"{len(entries)} entries are more than {_MOST_ENTRIES}; use 'flows'")
    planner = _Planner(topology, phases, places, seed, ip)
    return [planner.plan(index, entry, control) for index, entry in enumerate(entries)]


class _Planner:
    """Resolves entries."""

    def __init__(self, topology: RoutedTopo, phases: list[Phase], places: Places, seed: int, ip: Literal[4, 6]) -> None:
        self._topology = topology
        self._phases = phases
        self._places = places
        self._seed = seed
        self._ip = ip
        self._lines = {str(topology.nodeInfo(node)["line"]): node for node in topology.with_role("client")}

    def plan(self, index: int, entry: Bulk | Udp | Web, control: Mapping[str, str]) -> BackgroundPlan:
        """Return one entry as planned."""
        key: Key = ("background", index)
        kind = _kind_of(entry)
        written: Hosts = getattr(entry, kind)
        sender, receiver = (self._host((*key, kind, at), name) for at, name in enumerate(written))
        if sender == receiver:
            raise self._places.error((*key, kind), f"{written[0]} cannot send to itself; name another host")
        lines = [line for line, node in self._lines.items() if node in {sender, receiver}]
        # Subscribers open connections, as they do in life: boxes act on those alone, and a home has no open port.
        opener = receiver if receiver in self._lines.values() and sender not in self._lines.values() else sender
        line = next((line for line, node in self._lines.items() if node == opener), "")
        plan: BackgroundPlan = {
            "id": f"background/{index + 1:02}", "kind": kind, "name": f"{kind} {written[0]} to {written[1]}",
            "line": line, "direction": "upload" if line and opener == sender else "download", "sender": sender,
            "receiver": receiver, "opener": sender if kind == "udp" else opener, "inside": opener,
            "port": _FIRST_PORT + index, "seed": _seed_of(self._seed, index), "flows": 1,
        }  # fmt: skip
        ip = entry.ip or self._ip
        if ip == IPV6:
            plan["ip"] = IPV6
        if isinstance(entry, Udp):
            if entry.packet < LEAST_PACKET_BYTES[ip]:
                raise self._places.error(
                    (*key, "packet"),
                    f"expected a packet of at least {LEAST_PACKET_BYTES[ip]} B, got {entry.packet} B: headers of IPv6 "
                    "and UDP, and a stamp",
                )
            plan |= {"rate_bps": entry.rate, "packet_bytes": entry.packet, "arrivals": entry.arrivals}
        else:
            plan["flows"] = entry.flows
            plan["congestion_control"] = entry.congestion_control or control[sender]
        if isinstance(entry, Web):
            plan["objects"] = self._objects(key, entry)
        self._place_in_time(key, entry, plan, lines)
        return plan

    def _host(self, key: Key, name: str) -> str:
        servers = self._topology.with_role("server")
        if name in self._lines:
            return self._lines[name]
        if name in servers:
            return name
        known = ", ".join([*self._lines, *servers])
        raise self._places.error(key, f"no line and no server {name!r} in this network (there: {known})")

    def _objects(self, key: Key, entry: Web) -> list[list[float]]:
        sizes = self._drawn((*key, "size"), entry.size, parse_size)
        pauses = self._drawn((*key, "pause"), entry.pause, parse_run_time)
        return [[max(round(size), 1), pause] for size, pause in zip(sizes, pauses, strict=True)]

    def _drawn(self, key: Key, written: str, parse: Callable[[object], float]) -> list[float]:
        try:
            found = [parse(each) for each in draw_many(written, self._seed, ".".join(map(str, key)), OBJECTS)]
        except ValueError as error:
            raise self._places.error(key, str(error)) from error
        if key[-1] == "size" and not any(found):
            raise self._places.error(key, f"every object would be empty: {written!r}; choose a size above zero")
        return found

    def _place_in_time(self, key: Key, entry: _Entry, plan: BackgroundPlan, lines: list[str]) -> None:
        if entry.beside is not None:
            plan["beside"] = self._beside((*key, "beside"), entry.beside, lines)
            plan["lead_s"] = _DEFAULT_LEAD_S if entry.lead is None else entry.lead
            return
        latest_s = latest_end_s(self._phases)
        for name, at_s in (("from", entry.from_), ("until", entry.until)):
            if at_s is not None and latest_s is not None and at_s >= latest_s:
                raise self._places.error(
                    (*key, name),
                    f"the measurements are over after {latest_s:g} s at the latest, and the run with them; choose an "
                    f"earlier instant{', or leave it out' if name == 'until' else ''}",
                )
        if entry.from_ is not None:
            plan["from_s"] = entry.from_
        if entry.until is not None:
            plan["until_s"] = entry.until

    def _beside(self, key: Key, wanted: str, lines: list[str]) -> list[str]:
        last = self._phases[-1]
        if last["command"] is not None:
            return []  # nothing is measured, and a note says that it did not happen
        measured = [
            transfer for line in last["lines"] if not lines or line["name"] in lines for transfer in line["transfers"]
        ]
        found = [transfer["id"] for transfer in measured if wanted in _called(transfer)]
        if not found:
            known = ", ".join(sorted({name for transfer in measured for name in _called(transfer)})) or "none"
            where = f"on line {' or '.join(lines)}" if lines else "on any line"
            raise self._places.error(
                key, f"no measurement {where} has the role or the name {wanted!r} (there: {known})"
            )
        return found


def _kind_of(entry: Bulk | Udp | Web) -> BackgroundKind:
    if isinstance(entry, Bulk):
        return "bulk"
    return "udp" if isinstance(entry, Udp) else "web"


def _called(transfer: TransferPlan) -> set[str]:
    return {transfer["role"]} | ({transfer["sni"]} if transfer["sni"] else set())


def latest_end_s(phases: list[Phase]) -> float | None:
    """Return when the last transfer is over at the latest; None: a command ends when it likes."""
    ended_s = 0.0
    for phase in phases:
        if phase["command"] is not None:
            return None
        ends = [ended_s]
        for line in phase["lines"]:
            at_s = ended_s
            for transfer in line["transfers"]:
                at_s = max(at_s + transfer.get("pause_s", 0.0), transfer["at_s"]) + transfer["timeout_s"]
            ends.append(at_s)
        ended_s = max(ends)
    return ended_s


def _seed_of(seed: int, index: int) -> int:
    # 48 bits: a JSON number that any reader keeps whole.
    return int.from_bytes(hashlib.sha256(f"background {seed} {index}".encode()).digest()[:6], "big")
