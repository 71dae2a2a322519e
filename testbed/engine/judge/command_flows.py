"""The flows that a command made, from its client's capture, in the form in which our own clients report transfers.

So a command's flows stand in the table, in the report and before detectors like any other transfer. Only what a
client can see goes in here; what the boxes did to each flow is joined later, from the ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from testbed.middlebox.packet import ACK, FIN, RST, SYN, TCP, UDP, Direction, Packet, address_text
from testbed.middlebox.recognise.result import Hello
from testbed.middlebox.recognise.tls import join_records, recognise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.records.measurements import Measurement, Side
    from testbed.records.plan import FlowTransfer

__all__ = ["CommandFlow", "flow_records", "flows_of", "planned_transfers"]

_NS_PER_S = 1_000_000_000
_MOST_HELLO_BYTES = 1 << 16  # a hello is seldom longer than 2 kB; a stream that is none is not kept for long
_SAMPLES_PER_LINE = 64
_HALF = 1 << 31  # a sequence number less than so far ahead is ahead, any other is behind (RFC 9293, section 3.4)
_NUMBERS = 1 << 32
_CLIENT: Side = "client"
_SERVER: Side = "server"
_NO_LIMIT_S = 0.0  # nobody asked the flow to end in time


@dataclass(slots=True)
class _Stream:
    """The stream in one direction: how far it has come, in bytes since its beginning."""

    first: int | None = None
    total: int = 0
    times: list[float] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)

    def reach(self, number: int, t: float) -> None:
        """Note that the stream has come to a sequence number."""
        if self.first is None:
            return
        total = (number - self.first) % _NUMBERS
        if self.total < total < _HALF:
            self.total = total
            self.times.append(t)
            self.totals.append(total)


@dataclass(slots=True)
class CommandFlow:
    """One connection, or one exchange of datagrams, as its client saw it. Times are seconds since the run's start.

    Attributes:
        protocol: TCP or UDP, by number.
        local, remote: Address and port.
        started: The client's first packet.
        connected: The server's first packet; None: it never answered.
        ended: The last packet of either.
        ending: ``fin``, ``reset`` or None: it was still open.
        up, down: What the server acknowledged, what the client received; of UDP all payload.
    """

    protocol: int
    local: tuple[str, int]
    remote: tuple[str, int]
    started: float
    connected: float | None = None
    ended: float = 0.0
    ending: str | None = None
    up: _Stream = field(default_factory=_Stream)
    down: _Stream = field(default_factory=_Stream)
    hello: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_upload(self) -> bool:
        """Whether more was sent than received."""
        return self.up.total > self.down.total

    @property
    def server_name(self) -> str | None:
        """The name in its TLS hello, over however many segments and records it lies; None where there is none."""
        data, at = b"", min(self.hello, default=0)
        while self.hello.get(at):
            piece = self.hello[at]
            data += piece
            at += len(piece)
        found = recognise(join_records(data)) if data else None
        return found.name if isinstance(found, Hello) else None


def flows_of(packets: Iterable[tuple[int, bytes]], client: Iterable[str], *, start_ns: int) -> list[CommandFlow]:
    """Return the flows of a client, in the order in which they began.

    Args:
        packets: Instant (ns since the epoch) and IP datagram of each packet of the client's capture, in order.
        client: Its addresses.
        start_ns: The instant that is t = 0.
    """
    own = {ip_address(each).packed for each in client}
    running: dict[tuple[int, bytes, int, int], CommandFlow] = {}
    found: list[CommandFlow] = []
    for t_ns, data in packets:
        packet = Packet.parse(data, Direction.UP)
        is_up = packet.src in own
        if packet.protocol not in {TCP, UDP} or packet.malformed or not (is_up or packet.dst in own):
            continue
        t = (t_ns - start_ns) / _NS_PER_S
        near, port, far, far_port = (
            (packet.src, packet.sport, packet.dst, packet.dport)
            if is_up
            else (packet.dst, packet.dport, packet.src, packet.sport)
        )
        key = (packet.protocol, far, far_port, port)
        opens = packet.protocol == UDP or packet.flags & (SYN | ACK) == SYN
        if is_up and opens and (key not in running or (packet.protocol == TCP and running[key].ending)):
            running[key] = CommandFlow(packet.protocol, (address_text(near), port), (address_text(far), far_port), t)
            found.append(running[key])
        if key in running:
            _note(running[key], packet, t, is_up=is_up)
    return found


def _note(flow: CommandFlow, packet: Packet, t: float, *, is_up: bool) -> None:
    flow.ended = t
    if not is_up and flow.connected is None:
        flow.connected = t
    stream = flow.up if is_up else flow.down
    if packet.protocol == UDP:
        stream.first = 0  # datagrams have no numbers: all that comes is new
        stream.reach(stream.total + packet.payload_length, t)
        return
    if packet.flags & SYN:
        stream.first = (packet.seq + 1) % _NUMBERS
    if is_up and packet.payload and sum(map(len, flow.hello.values())) < _MOST_HELLO_BYTES and not flow.down.total:
        flow.hello.setdefault(packet.seq, packet.payload)
    if not is_up:
        if packet.payload_length:
            flow.down.reach((packet.seq + packet.payload_length) % _NUMBERS, t)
        if packet.flags & ACK and not packet.flags & SYN:
            flow.up.reach(packet.ack, t)
    if packet.flags & RST:
        flow.ending = flow.ending or "reset"
    elif packet.flags & FIN:
        flow.ending = flow.ending or "fin"


def planned_transfers(flows: list[CommandFlow], line: str, names: Iterable[tuple[str, str]]) -> list[FlowTransfer]:
    """Return what stands in the plan for each flow, as for transfers that were planned.

    Args:
        flows: Of the command.
        line: Its line.
        names: DNS name and address: what a server without a name in the hello is called, where one name alone leads
        to it.
    """
    by_address: dict[str, list[str]] = {}
    for name, address in names:
        by_address.setdefault(address, []).append(name)
    result: list[FlowTransfer] = []
    for number, flow in enumerate(flows, start=1):
        known = by_address.get(flow.remote[0], [])
        server = flow.server_name or (known[0] if len(known) == 1 else flow.remote[0])
        result.append({
            "id": f"{line}/command-{number:03}", "name": f"{server} port {flow.remote[1]}", "line": line,
            "kind": "flow",
            "role": "command", "sni": flow.server_name, "direction": "upload" if flow.is_upload else "download",
            "at_s": flow.started, "timeout_s": _NO_LIMIT_S,
        })  # fmt: skip
    return result


def flow_records(flows: list[CommandFlow], transfers: list[FlowTransfer]) -> Iterator[Measurement]:
    """Yield lines of measurements.jsonl for the flows, as our own clients would have written them."""
    for flow, transfer in zip(flows, transfers, strict=True):
        name = transfer["id"]
        yield {"t": flow.started, "transfer": name, "side": "client", "event": "started", "remote": flow.remote}
        if flow.connected is not None:
            yield {
                "t": flow.connected, "transfer": name, "side": "client", "event": "connected", "local": flow.local,
                "remote": flow.remote,
            }  # fmt: skip
        # What was sent counts by what the server acknowledged: the client's capture has nothing else from that end.
        stream, side = (flow.up, _SERVER) if flow.is_upload else (flow.down, _CLIENT)
        for at in range(0, len(stream.times), _SAMPLES_PER_LINE):
            times, totals = stream.times[at : at + _SAMPLES_PER_LINE], stream.totals[at : at + _SAMPLES_PER_LINE]
            yield {
                "t": times[0], "transfer": name, "side": side, "event": "bytes", "times": times, "totals": totals,
            }  # fmt: skip
        error = _error(flow)
        yield {
            "t": flow.ended, "transfer": name, "side": "client", "event": "finished", "ok": error is None,
            "error": error,
        }  # fmt: skip


def _error(flow: CommandFlow) -> str | None:
    if flow.connected is None:
        return "the server did not answer"
    if flow.ending == "reset" and not (flow.down.total or flow.up.total):
        return "connection reset"
    return None
