"""Observations from run directories: what clients recorded and what was captured at both ends, never the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import Direction, Ending, Observation, Role, TcpInfo, Transfer
from testbed.detectors.sources.captures import transfers_from_captures
from testbed.errors import RecordError
from testbed.records.measurements import by_transfer, client_events, instant, received_bytes
from testbed.records.plan import planned_transfers
from testbed.records.run import RunDirectory
from testbed.records.standing import MALFORMED, require_standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from testbed.records.measurements import ClientEvents, Finished, Measurement, Side
    from testbed.records.plan import PlanDocument, TransferPlan

__all__ = ["observation_from_run", "split_by_subject"]

_US: Final = 1e-6
_BITS: Final = 8
_ENDS: Final = ("-client.pcap", "-server.pcap")
# who receives the data, and who sends them
_SIDES: Final[Mapping[Direction, tuple[Side, Side]]] = {
    Direction.DOWN: ("client", "server"),
    Direction.UP: ("server", "client"),
}
_TCP_INFO: Final = ("times", "bytes_sent", "bytes_retrans", "rtt_us", "min_rtt_us", "delivery_rate")


def observation_from_run(path: Path, *, even_if_invalid: bool = False) -> Observation:
    """Read a run's transfers: the plan's (what was asked of whom), the clients' records, and captures at both ends.

    Nothing of the boxes' captures and of the ground truth goes into it.

    Args:
        path: The run directory.
        even_if_invalid: Whether one will do that must not be scored; the notes then say why.

    Raises:
        RecordError: It is no run directory.
        CaptureError: A capture cannot be read.
        InvalidRunError: It is invalid, not complete, or was changed.
    """
    run = RunDirectory.open(path)
    problems = require_standing(run, even_if_invalid=even_if_invalid)
    doubts = [f"{path}: do not score this run: {problem}" for problem in problems]
    # The boxes' captures lie in the same folder. A measurement client could not have taken them.
    captures = sorted(found for found in (path / "captures").glob("*.pcap*") if any(end in found.name for end in _ENDS))
    captured, remarks = transfers_from_captures({found: found.name for found in captures}, regular_only=True)
    remarks = doubts + remarks
    by_client = {transfer.labels["client"]: transfer for transfer in captured}
    try:
        transfers = list(_transfers(run.plan, run.measurements(), by_client))
    except OSError as error:
        raise RecordError(f"{path}: not a run directory: {error}") from error
    except MALFORMED as error:
        raise RecordError(f"{path}: its plan or measurements contradict the run format: {error!r}") from error
    return Observation(source=str(path), transfers=tuple(transfers), notes=tuple(remarks))


def _transfers(
    plan: PlanDocument, measurements: Iterable[Measurement], by_client: dict[str, Transfer]
) -> Iterator[Transfer]:
    records = by_transfer(measurements)
    for planned in planned_transfers(plan):
        if planned["kind"] != "record" and planned["id"] in records:
            yield _transfer(planned, records[planned["id"]], by_client)


def split_by_subject(observation: Observation) -> list[tuple[str, Observation]]:
    """Return one observation a transfer, in which it is the target and comparable controls are the controls.

    A control is comparable if it is of the same kind (fetch or replay), direction, line and protocol (QUIC is another
    program's congestion control than TCP's, and sent by HTTP/2 things begin later), at the same server. Where
    there is none, a target is compared with controls at other servers, as a measurer would have to do. A control is
    not: that would compare two servers.
    """
    result = []
    for subject in observation.transfers:
        rivals = [
            other
            for other in observation.transfers
            if other.role is Role.CONTROL
            and other.id != subject.id
            and other.direction is subject.direction
            and all(other.labels.get(name) == subject.labels.get(name) for name in ("pair", "line", "kind", "protocol"))
        ]
        # Another server lies on another path: what the two paths do to speed is no doing of the line's.
        near = [other for other in rivals if other.labels.get("server") == subject.labels.get("server")]
        controls = near if near or subject.role is Role.CONTROL else rivals
        chosen = replace(subject, role=Role.TARGET)
        result.append((subject.id, replace(observation, transfers=(chosen, *controls))))
    return result


def _transfer(planned: TransferPlan, records: list[Measurement], by_client: dict[str, Transfer]) -> Transfer:
    at = client_events(records)
    direction = Direction.UP if planned["direction"] == "upload" else Direction.DOWN
    receiver, sender = _SIDES[direction]
    start_s = at["started"]["t"] if "started" in at else min(record["t"] for record in records)
    times, totals = _timeline(records, receiver, start_s)
    is_tcp = "connected" in at and at["connected"].get("protocol") != "udp"
    # Of TCP alone: a port of UDP may have the number of one of TCP's.
    captured = by_client.get(":".join(map(str, at["connected"]["local"]))) if is_tcp else None
    if captured is not None and captured.direction is direction and captured.receiver_flow is not None:
        # The capture tells of every packet. A client sees whole TLS records, and curl nothing but the total.
        times, totals = captured.times_s, captured.bytes
    size: object = planned.get("size")
    protocol: object = planned.get("protocol")
    return Transfer(
        id=planned["id"],
        role=Role(planned["role"]) if planned["role"] in set(Role) else Role.UNKNOWN,
        direction=direction,
        server_name=planned["sni"],
        times_s=times,
        bytes=totals,
        started_s=start_s,
        connect_s=instant(at["connected"]) - start_s if "connected" in at else None,
        handshake_s=instant(at["handshake"]) - instant(at["connected"])
        if "connected" in at and "handshake" in at
        else None,
        ended_s=at["finished"]["t"] - start_s if "finished" in at else None,
        ending=_ending(at.get("finished")),
        expected_bytes=size if isinstance(size, int) else None,
        tcp_info=_tcp_info(records, sender, start_s),
        sender_flow=None if captured is None else captured.sender_flow,
        receiver_flow=None if captured is None else captured.receiver_flow,
        labels={
            "line": planned["line"],
            "kind": "replay" if planned["kind"] == "replay" else "fetch",
            "name": planned["name"],
            "server": _server(at),
            **({"protocol": protocol} if isinstance(protocol, str) else {}),
        },
    )


def _server(at: ClientEvents) -> str:
    """Return the address that the client asked, which curl tells only once it is connected."""
    if "connected" in at and "remote" in at["connected"]:
        return str(at["connected"]["remote"][0])
    if "started" in at and "remote" in at["started"]:
        return str(at["started"]["remote"][0])
    return ""


def _timeline(
    records: Iterable[Measurement], side: Side, start_s: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    times, totals = received_bytes(records, side)
    return np.maximum(np.array(times, np.float64) - start_s, 0.0), np.array(totals, np.int64)


def _ending(finished: Finished | None) -> Ending:
    if finished is None:
        return Ending.UNKNOWN
    if finished["ok"]:
        return Ending.COMPLETE
    error = str(finished["error"]).lower()
    if "timed out" in error or "timeout" in error:
        return Ending.TIMEOUT
    return Ending.RESET if "reset" in error else Ending.ERROR


def _tcp_info(records: Iterable[Measurement], side: Side, start_s: float) -> TcpInfo | None:
    """Return one end's samples; those that lack a field that is asked for are left out."""
    samples = [
        record
        for record in records
        if record["event"] == "tcp_info" and record["side"] == side and all(name in record for name in _TCP_INFO)
    ]
    times = _column(sample["times"] for sample in samples)
    if not len(times):
        return None
    return TcpInfo(
        times_s=np.maximum(times - start_s, 0.0),
        bytes_sent=_column(sample["bytes_sent"] for sample in samples),
        bytes_retrans=_column(sample["bytes_retrans"] for sample in samples),
        rtt_s=_column(sample["rtt_us"] for sample in samples) * _US,
        min_rtt_s=_column(sample["min_rtt_us"] for sample in samples) * _US,
        delivery_rate_bps=_column(sample["delivery_rate"] for sample in samples) * _BITS,
    )


def _column(parts: Iterable[Sequence[float]]) -> NDArray[np.float64]:
    return np.array([value for part in parts for value in part], np.float64)
