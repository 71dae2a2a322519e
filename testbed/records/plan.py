"""The plan: a scenario as resolved, which the host writes (``plan.json``) and the guest runs.

Plain JSON with every name checked and every default written out. Times are seconds since the start of the run, unless
a key says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict, final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.background import BackgroundPlan
    from testbed.records.box_plan import BoxPlan
    from testbed.records.jsonl import Json
    from testbed.records.link_plan import LinkPlan

__all__ = [
    "CLIENT_MIB",
    "COPIES_IN_FLIGHT",
    "LAST_SEED",
    "CapturePlan",
    "Clock",
    "CommandPlan",
    "CurlTransfer",
    "Direction",
    "DrawPlan",
    "EvadeTransfer",
    "EventPlan",
    "FetchTransfer",
    "FlowTransfer",
    "GuestPlan",
    "LinePlan",
    "NewerProtocol",
    "OriginPlan",
    "Phase",
    "PlanDocument",
    "ProbeTransfer",
    "ProgramsPlan",
    "RecordTransfer",
    "ReplayTransfer",
    "TopologyPlan",
    "TransferPlan",
    "UploadTransfer",
    "asked_name",
    "hosts_lines",
    "planned_transfers",
]  # fmt: skip

CLIENT_MIB = 4.0
"""Memory of a process that measures, or makes background traffic."""

COPIES_IN_FLIGHT = 2
"""A client keeps what came over the wire, in pieces and joined."""

LAST_SEED = (1 << 63) - 1
"""Seeds are from 1 to this."""

Direction = Literal["download", "upload"]

NewerProtocol = Literal["http/2", "http/3"]
"""What a transfer goes by, and an origin speaks, where it is not HTTP/1.1 alone."""


class _Transfer(TypedDict):
    """What every transfer has.

    Keys:
        id: Unique in the run; lines of ``measurements.jsonl`` refer to it.
        name: For people.
        line: The access line that it runs on.
        role: target, control, collateral, recording or command.
        sni: Server name in the hello; None where there is none to be read.
        direction: Which way the bytes go that are counted.
        at_s: It does not begin earlier; 0: as soon as the one before it has ended.
        pause_s: How long it waits after the one before it has ended.
        timeout_s: Longest wait for anything.
        ip: 6: it goes over IPv6; missing: over IPv4.
    """

    id: str
    name: str
    line: str
    role: str
    direction: Direction
    at_s: float
    pause_s: NotRequired[float]
    timeout_s: float
    ip: NotRequired[Literal[6]]


class FetchTransfer(_Transfer):
    """An HTTPS download by the measuring client.

    Keys:
        address_of: Name whose server is asked, whatever ``sni`` says; missing: that one.
        receive_buffer: Of the client's socket, bytes; missing: the kernel's.
        reading_bps: How fast the client reads; missing: as it comes.
        objects: How many objects follow each other on the connection; missing: one.
        size: Of all objects together, bytes.
        protocol: What it goes by; missing: HTTP/1.1.
        group: What those have in common that go side by side; they follow each other in the plan. Missing: it is alone.
        in_place_of: The program that the measuring client stands in for; missing: none.
    """

    kind: Literal["fetch"]
    sni: str
    path: str
    size: int
    address_of: NotRequired[str]
    receive_buffer: NotRequired[int]
    reading_bps: NotRequired[int]
    objects: NotRequired[int]
    protocol: NotRequired[NewerProtocol]
    group: NotRequired[str]
    in_place_of: NotRequired[Literal["curl"]]


class CurlTransfer(_Transfer):
    """An HTTPS download by curl. ``protocol``: what it goes by; missing: HTTP/1.1."""

    kind: Literal["curl"]
    sni: str
    path: str
    size: int
    protocol: NotRequired[NewerProtocol]


class UploadTransfer(_Transfer):
    """An HTTPS upload by the measuring client. The origin counts the bytes as they come.

    Keys:
        protocol: What it goes by; missing: HTTP/1.1.
    """

    kind: Literal["upload"]
    sni: str
    path: str
    size: int
    protocol: NotRequired[NewerProtocol]


class RecordTransfer(_Transfer):
    """An HTTPS download that is recorded, to be replayed later."""

    kind: Literal["record"]
    sni: str
    path: str
    size: int
    recording: str
    inverted: Literal[False]


@final
class ReplayTransfer(_Transfer):
    """A recording replayed, as it was or with its bits inverted."""

    kind: Literal["replay"]
    sni: str | None
    recording: str
    inverted: bool


class EvadeTransfer(_Transfer):
    """A hello brought past the box in some way, and a download on the same flow."""

    kind: Literal["evade"]
    sni: str
    evasion: str
    options: dict[str, Json]
    size: int
    published: str | None


class ProbeTransfer(_Transfer):
    """A probe: many short conversations, which have ids of their own (``ID#1`` and so on)."""

    kind: Literal["probe"]
    sni: str
    probe: str
    options: dict[str, Json]
    size: int


class FlowTransfer(_Transfer):
    """A flow that a user's command made. It is found in the capture, after the run."""

    kind: Literal["flow"]
    sni: str | None


TransferPlan = (
    FetchTransfer
    | CurlTransfer
    | UploadTransfer
    | RecordTransfer
    | ReplayTransfer
    | EvadeTransfer
    | ProbeTransfer
    | FlowTransfer
)


class LinePlan(TypedDict):
    """An access line in a phase: the node of its client, and transfers one after the other."""

    name: str
    node: str
    transfers: list[TransferPlan]


class CommandPlan(TypedDict):
    """A user's command: the node that it runs on, the program and its arguments.

    Keys:
        is_shell: There is none yet: programs are named one by one while the run goes on, each with its node. Missing:
            false.
        also: Of a shell: short names of nodes, which resolve beside their own.
    """

    node: str
    argv: list[str]
    is_shell: NotRequired[bool]
    also: NotRequired[dict[str, str]]


class Phase(TypedDict):
    """What runs side by side. The phases of a run follow each other."""

    lines: list[LinePlan]
    command: CommandPlan | None


class TopologyPlan(TypedDict):
    """The topology's file, its name in ``topos``, its parameters, and who makes the links (netlink or stock)."""

    file: str
    name: str
    parameters: dict[str, object]
    links: str


class ProgramsPlan(TypedDict, total=False):
    """Which programs are to be used. What is missing is not asked for.

    Keys:
        origin: That serves origins of which nothing is asked that nginx cannot do.
        client: That fetches what curl is to fetch.
    """

    origin: Literal["nginx", "builtin"]
    client: Literal["curl", "builtin"]


class OriginPlan(TypedDict):
    """A server. What is missing is not asked for; where nothing of it is, nginx serves.

    Keys:
        names: DNS names that it serves.
        objects: Path to size in bytes.
        rate_bps: Of a body, on each connection.
        think_s: Between a request and the first byte of its answer.
        think_sigma: Its spread from request to request, as the standard deviation of the logarithm; missing: none.
        think_seed: Of that spread's draws.
        send_buffer: Of each connection, bytes.
        pacing_bps: At which TCP spaces the segments of each connection.
        uploads: Path to the id of the upload that comes there.
        protocols: What it speaks besides HTTP/1.1.
        builtin: The testbed's own server stands in for nginx.
    """

    names: list[str]
    objects: dict[str, int]
    rate_bps: NotRequired[int]
    think_s: NotRequired[float]
    think_sigma: NotRequired[float]
    think_seed: NotRequired[int]
    send_buffer: NotRequired[int]
    pacing_bps: NotRequired[int]
    uploads: NotRequired[dict[str, str]]
    protocols: NotRequired[list[NewerProtocol]]
    builtin: NotRequired[Literal[True]]


class CapturePlan(TypedDict):
    """A capture point.

    Keys:
        name: Of its file.
        node, interface: Where.
        keep: What is kept: headers, or nothing once the comparison with the box's log is over. Without it, all.
    """

    name: str
    node: str
    interface: str
    keep: NotRequired[Literal["headers", "nothing"]]


class EventPlan(TypedDict):
    """A timed event: its kind (a module of `testbed.guest.events`), and the fields of that module's class."""

    kind: str
    fields: dict[str, Json]


class Clock(TypedDict):
    """What the guest has to know of its clock.

    Keys:
        is_virtual: It stands still while anything computes, so setting up takes no time that a run could notice, and it
            shows the scenario's date from boot on. False: it is a wall clock; the guest sets it, and may be late.
        settle_s: How long before t = 0 the guest's work begins.
        late_s: A timer that fires so late counts as late; None: timers are not watched.
        is_machines: It is the machine's own clock, and stays as it is: the plan's t = 0 is an instant of it.
        looks_at_links: Just before t = 0, the guest looks whether every link sends by then.
    """

    is_virtual: bool
    settle_s: float
    late_s: float | None
    is_machines: NotRequired[Literal[True]]
    looks_at_links: NotRequired[Literal[True]]


class DrawPlan(TypedDict):
    """A value that was drawn: its dotted key in the scenario, the distribution as written, and what came of it."""

    key: str
    written: str
    value: str | int | float | bool


class PlanDocument(TypedDict):
    """All that a run is made of.

    Keys:
        drawn: Values of the scenario that were drawn from the seed.
        start_ns: The instant that is t = 0, nanoseconds since 1970.
        hello: What the clients' TLS library sends (2021, 2024, system).
        congestion_control: By host.
        boxes: By node.
        names: DNS name to address.
        names6: DNS name to IPv6 address; missing: the network has IPv4 alone.
        origins: By node.
        replay_server: The node at the far end of replays, evasions and probes; None: the scenario has none.
        without_box: Line to the reason why no box stands on it although the scenario names a censor.
        rtt_s: Line to server to the round-trip time of the topology's own delays.
        background: Traffic that nobody measures; missing: there is none.
        programs: Which programs are used; missing: those that the plan names.
    """

    format: int
    scenario: str
    title: str
    seed: int
    drawn: list[DrawPlan]
    engine: str
    hello: str
    start_ns: int
    topology: TopologyPlan
    links: list[LinkPlan]
    congestion_control: dict[str, str]
    boxes: dict[str, BoxPlan]
    names: dict[str, str]
    names6: NotRequired[dict[str, str]]
    origins: dict[str, OriginPlan]
    replay_server: str | None
    without_box: dict[str, str]
    captures: list[CapturePlan]
    phases: list[Phase]
    events: list[EventPlan]
    rtt_s: dict[str, dict[str, float]]
    background: NotRequired[list[BackgroundPlan]]
    programs: NotRequired[ProgramsPlan]


class GuestPlan(PlanDocument):
    """The plan as the guest is given it: with what the engine adds."""

    clock: Clock


def planned_transfers(plan: PlanDocument) -> Iterator[TransferPlan]:
    """Yield every transfer of every line, in the plan's order."""
    for phase in plan["phases"]:
        for line in phase["lines"]:
            yield from line["transfers"]


def asked_name(transfer: TransferPlan) -> str | None:
    """Return the name whose server a transfer asks; None: it asks none by name."""
    return transfer.get("address_of", transfer["sni"]) if transfer["kind"] == "fetch" else transfer["sni"]


def hosts_lines(plan: PlanDocument) -> str:
    """Return the scenario's names as /etc/hosts has them, of both IP versions."""
    entries = [*plan["names"].items(), *plan.get("names6", {}).items()]
    return "".join(f"{address}\t{name}\n" for name, address in entries)
