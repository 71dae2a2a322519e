"""Time series of a transfer: throughput in windows, and every data segment with its fate."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.errors import RecordError
from testbed.records.capture_file import datagram, read_frames
from testbed.records.files import open_regular
from testbed.records.ip_header import TCP, read_ip_header
from testbed.records.measurements import received_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.manifest import TransferSummary
    from testbed.records.run import RunDirectory
    from testbed.records.truth import FlowOpenedRecord

__all__ = ["NotCapturedError", "Segments", "Series", "segments", "series", "windowed_throughput"]

Floats = NDArray[np.float64]

_DATA_OFFSET_AT: Final = 12  # of the TCP header: its length in words, in the upper half of the byte


class NotCapturedError(RecordError):
    """A run has no captures of what is asked for; its scenario may have asked for none."""


@dataclass(frozen=True, slots=True)
class Series:
    """Arrivals of a transfer: seconds since it began and cumulative payload bytes, both of shape (n,)."""

    times_s: Floats
    totals: Floats


def series(run: RunDirectory, transfer: TransferSummary) -> Series:
    """Return the arrivals that the receiving end of a transfer noted."""
    records = run.measurements(transfer["id"])
    times, totals = received_bytes(records, "client" if transfer["direction"] == "download" else "server")
    return Series(np.array(times) - (transfer["start_s"] or 0.0), np.array(totals, dtype=np.float64))


def windowed_throughput(arrivals: Series, window_s: float) -> tuple[Floats, Floats]:
    """Return payload throughput in consecutive windows.

    Returns:
        Middles of the windows (s) and throughput (bit/s), both of shape (windows,); the last window that is not full is
        left out.
    """
    if len(arrivals.times_s) == 0:
        return np.empty(0), np.empty(0)
    # cumulative bytes at the edges: an arrival on an edge belongs to the window before it
    edges = np.arange(0.0, arrivals.times_s[-1] + 1e-9, window_s)
    reached = np.concatenate(([0.0], arrivals.totals))[np.searchsorted(arrivals.times_s, edges, side="right")]
    return (edges[1:] + edges[:-1]) / 2, np.diff(reached) * 8 / window_s


@dataclass(frozen=True, slots=True)
class Segments:
    """Data segments of a flow as they reached the box: seconds since the first, first byte, length, fate; shape n."""

    times_s: Floats
    sequence: Floats
    length: Floats
    dropped: NDArray[np.bool_]


def segments(run: RunDirectory, transfer: TransferSummary) -> Segments:
    """Return the data segments of a transfer where they enter the box, and which of them the box dropped.

    Raises:
        NotCapturedError: No box saw the transfer, or the run has no captures beside it.
    """
    opened, drops = _flow_of(run, transfer)
    downwards = transfer["direction"] == "download"
    name = f"{opened['box']}-{'outside' if downwards else 'inside'}"
    path = run.capture(name)
    if path is None:
        raise NotCapturedError(f"{run.path}: the run has no capture {name}.pcapng")
    inside = (opened["inside"], opened["inside_port"])
    outside = (opened["outside"], opened["outside_port"])
    # Where the data enter the box, all of them are there: what it drops is missing on the other side.
    ends = (*outside, *inside) if downwards else (*inside, *outside)
    rows = _data_segments(path, ends, not_before_ns=round(opened["t"] * 1e9) + run.manifest()["start_ns"])
    if not rows:
        raise NotCapturedError(f"{path}: no data segment of {transfer['id']}")
    first = rows[0]
    return Segments(
        times_s=np.array([(row.t_ns - first.t_ns) / 1e9 for row in rows]),
        sequence=np.array([float((row.seq - first.seq) & 0xFFFFFFFF) for row in rows]),
        length=np.array([float(row.length) for row in rows]),
        dropped=np.array([(row.seq, row.ip_id) in drops for row in rows]),
    )


def _flow_of(run: RunDirectory, transfer: TransferSummary) -> tuple[FlowOpenedRecord, set[tuple[int, int]]]:
    """The opening of the flow as the box saw it, and (sequence number, IP identification) of what that box dropped.

    If several boxes saw the flow, the one that throttled it counts.
    """
    # The client knows its end of the connection, the box both: address, port and time lead from the one to the other.
    connected = next((record for record in run.measurements(transfer["id"]) if record["event"] == "connected"), None)
    truth = run.truth()
    latest = {
        record["box"]: record
        for record in truth
        if connected is not None
        and record["event"] == "flow_opened"
        and (record["inside"], record["inside_port"]) == tuple(connected["local"])
        and record["t"] <= connected["t"]
    }
    if not latest:
        raise NotCapturedError(f"{run.path}: no box saw {transfer['id']}")
    throttled = {(record["box"], record["flow"]) for record in truth if record["event"] == "throttling_started"}
    opened = max(latest.values(), key=lambda record: (record["box"], record["flow"]) in throttled)
    key = (opened["box"], opened["flow"])  # each box numbers its flows by itself
    drops = {
        (record["seq"], record["ip_id"])
        for record in truth
        if record["event"] == "packet_dropped" and (record["box"], record["flow"]) == key
    }
    return opened, drops


class _Segment(NamedTuple):
    t_ns: int
    seq: int
    length: int
    ip_id: int


def _data_segments(path: Path, ends: tuple[str, int, str, int], *, not_before_ns: int) -> list[_Segment]:
    """Return one direction's data segments, in the order of the capture."""
    source, source_port, destination, destination_port = ends
    addresses = ip_address(source).packed, ip_address(destination).packed
    ports = struct.pack("!HH", source_port, destination_port)
    rows = []
    with open_regular(path) as file:
        for frame in read_frames(file):
            packet = datagram(frame)
            header = None if frame.t_ns < not_before_ns or packet is None else read_ip_header(packet)
            if packet is None or header is None or (header.source, header.destination) != addresses:
                continue
            start = header.body
            if header.protocol != TCP or packet[start : start + 4] != ports:
                continue
            payload = header.length - start - (packet[start + _DATA_OFFSET_AT] >> 4) * 4
            if payload > 0:
                (seq,) = struct.unpack_from("!I", packet, start + len(ports))
                rows.append(_Segment(frame.t_ns, seq, payload, header.ip_id))
    return rows
