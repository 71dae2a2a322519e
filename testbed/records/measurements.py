"""Lines of ``measurements.jsonl``: what clients saw, and what the far end of a replay or an evasion saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Accepted", "BytesSeen", "ClientEvents", "Connected", "Download", "End", "EndsSaw", "Finished", "Found",
    "Handshake", "Measurement", "ObjectSeen", "Played", "Side", "Started", "TcpInfo", "by_transfer", "client_events",
    "instant", "received_bytes", "what_ends_saw",
]  # fmt: skip

Side = Literal["client", "server"]

End = tuple[str, int]
"""An address and a port. JSON has them as a list of two."""


class _Measurement(TypedDict):
    """What every line has: when (seconds since the start of the run), the transfer's id, and who saw it."""

    t: float
    transfer: str
    side: Side


class Started(_Measurement):
    """The transfer began. ``remote``: address and port, where they were known then."""

    event: Literal["started"]
    remote: NotRequired[End]


class Connected(_Measurement):
    """The connection is there.

    ``t_connected``: when, where the client (curl) tells afterwards. ``protocol``: udp for QUIC, which has no connection
    before its handshake: the two ends are known, and nothing has been sent; missing: TCP, or datagrams of an evasion.
    """

    event: Literal["connected"]
    local: End
    remote: End
    t_connected: NotRequired[float]
    protocol: NotRequired[Literal["udp"]]


class Handshake(_Measurement):
    """The TLS handshake is over.

    ``t_handshake``: when, where the client (curl) tells afterwards. ``protocol``: by ALPN (h2, h3); missing: none was
    asked for.
    """

    event: Literal["handshake"]
    version: NotRequired[str | None]
    cipher: NotRequired[str | None]
    t_handshake: NotRequired[float]
    protocol: NotRequired[str | None]


class Accepted(_Measurement):
    """The far end took the connection."""

    event: Literal["accepted"]


class Played(_Measurement):
    """The far end has sent all that it had to."""

    event: Literal["played"]


class Download(_Measurement):
    """What came before is over (an evasion, a probe's opening), and a download of ``size`` bytes begins."""

    event: Literal["download"]
    size: int


class BytesSeen(_Measurement):
    """Payload as it arrived: instants (seconds) and cumulative bytes, of equal length."""

    event: Literal["bytes"]
    times: list[float]
    totals: list[int]


class ObjectSeen(_Measurement):
    """One of several objects on a connection is complete: which one, and cumulative bytes of all."""

    event: Literal["object"]
    number: int
    bytes: int


class TcpInfo(_Measurement):
    """Samples of the kernel's tcp_info: instants (seconds), and one list of equal length for each of its fields."""

    event: Literal["tcp_info"]
    times: list[float]
    rto_us: list[int]
    snd_mss: list[int]
    unacked: list[int]
    lost: list[int]
    retrans: list[int]
    rtt_us: list[int]
    rttvar_us: list[int]
    snd_ssthresh: list[int]
    snd_cwnd: list[int]
    rcv_rtt_us: list[int]
    rcv_space: list[int]
    total_retrans: list[int]
    bytes_acked: list[int]
    bytes_received: list[int]
    min_rtt_us: list[int]
    delivery_rate: list[int]
    bytes_sent: list[int]
    bytes_retrans: list[int]
    rcv_ooopack: list[int]


class Found(_Measurement):
    """What a probe found; its own keys are those of `testbed.records.probes`."""

    event: Literal["found"]
    conversations: int
    control_bps: float
    plain_bps: float | None
    plain_held_back: bool


class Finished(_Measurement):
    """The transfer is over.

    ``sent``, ``offered``: of background traffic, payload that its sender took, and of datagrams what was due.
    ``t_finished``: when, where it is told afterwards: the sender of datagrams has stopped, and some may still arrive.
    """

    event: Literal["finished"]
    ok: bool
    error: str | None
    sent: NotRequired[int]
    offered: NotRequired[int]
    t_finished: NotRequired[float]


Measurement = (
    Started | Connected | Handshake | Accepted | Played | Download | BytesSeen | ObjectSeen | TcpInfo | Found | Finished
)


class ClientEvents(TypedDict, total=False):
    """What a client noted of one transfer, as far as it came."""

    started: Started
    connected: Connected
    handshake: Handshake
    download: Download
    finished: Finished


def by_transfer(records: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    """Return the records of each transfer, in order."""
    found: dict[str, list[Measurement]] = {}
    for record in records:
        found.setdefault(record["transfer"], []).append(record)
    return found


def client_events(records: Iterable[Measurement]) -> ClientEvents:
    """Return the client's last record of each kind, of one transfer's records."""
    seen = EndsSaw()
    for record in records:
        seen.note(record)
    return seen.client


@dataclass(slots=True)
class EndsSaw:
    """What both ends saw of one transfer, without its samples.

    Attributes:
        client: The client's last record of each kind.
        last_bytes: By side, when the last payload came there (seconds since the start of the run), and all by then.
    """

    client: ClientEvents = field(default_factory=ClientEvents)
    last_bytes: dict[Side, tuple[float, int]] = field(default_factory=dict)

    def note(self, record: Measurement) -> None:
        """Take in the next record."""
        if record["event"] == "bytes":
            if record["times"] and record["totals"]:
                self.last_bytes[record["side"]] = record["times"][-1], record["totals"][-1]
            return
        if record["side"] != "client":
            return
        # The last of each kind: a client that tries again begins anew, and what it did at last is what came of it.
        match record["event"]:
            case "started":
                self.client["started"] = record
            case "connected":
                self.client["connected"] = record
            case "handshake":
                self.client["handshake"] = record
            case "download":
                self.client["download"] = record
            case "finished":
                self.client["finished"] = record


def what_ends_saw(records: Iterable[Measurement]) -> dict[str, EndsSaw]:
    """Return what both ends saw, by transfer; few of the records are in memory at once."""
    found: dict[str, EndsSaw] = {}
    for record in records:
        found.setdefault(record["transfer"], EndsSaw()).note(record)
    return found


def instant(record: Connected | Handshake | Finished) -> float:
    """Return when it happened: curl and who sends datagrams tell afterwards, in a field of its own."""
    if record["event"] == "connected":
        return record.get("t_connected", record["t"])
    if record["event"] == "finished":
        return record.get("t_finished", record["t"])
    return record.get("t_handshake", record["t"])


def received_bytes(records: Iterable[Measurement], side: Side) -> tuple[list[float], list[int]]:
    """Return arrival times (seconds since the start of the run) and cumulative payload bytes, as one end saw them."""
    times: list[float] = []
    totals: list[int] = []
    for record in records:
        if record["event"] == "bytes" and record["side"] == side:
            times += record["times"]
            totals += record["totals"]
    return times, totals
