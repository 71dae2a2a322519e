"""Time series of a transfer: throughput in windows, and every data segment with its fate."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.errors import RecordError
from testbed.records.capture_file import datagram, read_frames
from testbed.records.files import open_regular
from testbed.records.transfers import received_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.run import RunDirectory

__all__ = ["NotCapturedError", "Segments", "Series", "segments", "series", "windowed_throughput"]

Floats = NDArray[np.float64]


class NotCapturedError(RecordError):
    """A run has no captures of what is asked for; its scenario may have asked for none."""


@dataclass(frozen=True, slots=True)
class Series:
    """Arrivals of a transfer: seconds since it began and cumulative payload bytes, both of shape (n,)."""

    times_s: Floats
    totals: Floats


def series(run: RunDirectory, transfer: dict[str, Any]) -> Series:
    """The arrivals that the receiving end of a transfer noted."""
    side = "client" if transfer["direction"] == "download" else "server"
    times, totals = received_bytes(run.measurements(transfer["id"]), side)
    return Series(np.array(times) - (transfer["start_s"] or 0.0), np.array(totals, dtype=np.float64))


def windowed_throughput(arrivals: Series, window_s: float) -> tuple[Floats, Floats]:
    """Payload throughput in consecutive windows.

    Returns:
        Middles of the windows (s) and throughput (bit/s), both of shape (windows,); the last window that is not full is
        left out.
    """
    if len(arrivals.times_s) == 0:
        return np.empty(0), np.empty(0)
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


def segments(run: RunDirectory, transfer: dict[str, Any]) -> Segments:
    """The data segments of a transfer where they enter the box, and which of them the box dropped.

    Raises:
        NotCapturedError: no box saw the transfer, or the run has no captures beside it.
    """
    opened, drops = _flow_of(run, transfer)
    downwards = transfer["direction"] == "download"
    path = run.path / "captures" / f"{opened['box']}-{'outside' if downwards else 'inside'}.pcapng"
    if not path.exists():
        raise NotCapturedError(f"{run.path}: the run has no capture {path.name}")
    inside = (opened["inside"], opened["inside_port"])
    outside = (opened["outside"], opened["outside_port"])
    ends = (*outside, *inside) if downwards else (*inside, *outside)
    rows = _data_segments(path, ends, not_before_ns=round(opened["t"] * 1e9) + run.manifest()["start_ns"])
    if not rows:
        raise NotCapturedError(f"{path}: no data segment of {transfer['id']}")
    first_t, first_seq = rows[0][0], rows[0][1]
    return Segments(
        times_s=np.array([(t - first_t) / 1e9 for t, *_ in rows]),
        sequence=np.array([float((seq - first_seq) & 0xFFFFFFFF) for _, seq, _, _ in rows]),
        length=np.array([float(length) for *_, length, _ in rows]),
        dropped=np.array([(seq, ip_id) in drops for _, seq, _, ip_id in rows]),
    )


def _flow_of(run: RunDirectory, transfer: dict[str, Any]) -> tuple[dict[str, Any], set[tuple[int, int]]]:
    """The opening of the flow as the box saw it, and (sequence number, IP identification) of what that box dropped.

    Of several boxes, the one that throttled.
    """
    connected = next((record for record in run.measurements(transfer["id"]) if record["event"] == "connected"), None)
    truth = run.truth()
    latest = {
        record["box"]: record
        for record in truth
        if connected is not None
        and record["event"] == "flow_opened"
        and [record["inside"], record["inside_port"]] == connected["local"]
        and record["t"] <= connected["t"]
    }
    if not latest:
        raise NotCapturedError(f"{run.path}: no box saw {transfer['id']}")
    throttled = {(record["box"], record["flow"]) for record in truth if record["event"] == "throttling_started"}
    opened = max(latest.values(), key=lambda record: (record["box"], record["flow"]) in throttled)
    key = (opened["box"], opened["flow"])
    drops = {
        (record["seq"], record["ip_id"])
        for record in truth
        if record["event"] == "packet_dropped" and (record["box"], record["flow"]) == key
    }
    return opened, drops


def _data_segments(
    path: Path, ends: tuple[str, int, str, int], *, not_before_ns: int
) -> list[tuple[int, int, int, int]]:
    """(time in ns, sequence number, payload length, IP identification) of one direction's data segments, in order."""
    source, source_port, destination, destination_port = ends
    addresses = bytes(map(int, source.split("."))) + bytes(map(int, destination.split(".")))
    ports = struct.pack("!HH", source_port, destination_port)
    rows = []
    with open_regular(path) as file:
        for frame in read_frames(file):
            packet = datagram(frame)
            if frame.t_ns < not_before_ns or packet is None or packet[12:20] != addresses:
                continue
            start = (packet[0] & 0x0F) * 4
            if packet[9] != 6 or packet[start : start + 4] != ports:  # noqa: PLR2004 - TCP
                continue
            total, ip_id = struct.unpack_from("!HH", packet, 2)
            payload = total - start - (packet[start + 12] >> 4) * 4
            if payload > 0:
                rows.append((frame.t_ns, struct.unpack_from("!I", packet, start + 4)[0], payload, ip_id))
    return rows
