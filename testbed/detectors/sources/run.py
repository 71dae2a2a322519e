"""Observations from run directories: what clients recorded and what was captured at both ends, never the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from testbed.detectors.observation import Direction, Ending, Observation, Role, TcpInfo, Transfer
from testbed.detectors.sources.captures import transfers_from_captures
from testbed.errors import RecordError
from testbed.records.run import RunDirectory
from testbed.records.standing import MALFORMED, require_standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["observation_from_run", "split_by_subject"]

_US: Final = 1e-6
_BITS: Final = 8
_ENDS: Final = ("-client.pcap", "-server.pcap")
_TCP_INFO: Final = ("bytes_sent", "bytes_retrans", "rtt_us", "min_rtt_us", "delivery_rate")


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
    plan: dict[str, Any], measurements: Iterable[dict[str, Any]], by_client: dict[str, Transfer]
) -> Iterator[Transfer]:
    by_transfer: dict[str, list[dict[str, Any]]] = {}
    for record in measurements:
        by_transfer.setdefault(record["transfer"], []).append(record)
    for phase in plan["phases"]:
        for line in phase["lines"]:
            for planned in line["transfers"]:
                if planned["kind"] != "record" and planned["id"] in by_transfer:
                    yield _transfer(planned, by_transfer[planned["id"]], by_client)


def split_by_subject(observation: Observation) -> list[tuple[str, Observation]]:
    """Return one observation a transfer, in which it is the target and comparable controls are the controls.

    Comparable is a control of the same kind (fetch or replay), direction and line, at the same server. Where there is
    none, a target is compared with controls at other servers, as a measurer would have to; a control is not, for what
    is compared then is two servers.
    """
    result = []
    for subject in observation.transfers:
        rivals = [
            other
            for other in observation.transfers
            if other.role is Role.CONTROL
            and other.id != subject.id
            and other.direction is subject.direction
            and all(other.labels.get(name) == subject.labels.get(name) for name in ("pair", "line", "kind"))
        ]
        near = [other for other in rivals if other.labels.get("server") == subject.labels.get("server")]
        controls = near if near or subject.role is Role.CONTROL else rivals
        chosen = replace(subject, role=Role.TARGET)
        result.append((subject.id, replace(observation, transfers=(chosen, *controls))))
    return result


def _transfer(planned: dict[str, Any], records: list[dict[str, Any]], by_client: dict[str, Transfer]) -> Transfer:
    at = {record["event"]: record for record in records if record["side"] == "client"}
    direction = Direction.UP if planned["direction"] == "upload" else Direction.DOWN
    receiver, sender = ("server", "client") if direction is Direction.UP else ("client", "server")
    start_s = at["started"]["t"] if "started" in at else min(record["t"] for record in records)
    times, totals = _timeline(records, receiver, start_s)
    connected = at.get("connected")
    captured = by_client.get(":".join(map(str, connected["local"]))) if connected else None
    if captured is not None and captured.direction is direction and captured.receiver_flow is not None:
        # packet by packet, where a client sees whole TLS records, and curl the total alone
        times, totals = captured.times_s, captured.bytes
    finished = at.get("finished")
    connected_s = None if connected is None else _instant(connected) - start_s
    return Transfer(
        id=planned["id"],
        role=Role(planned["role"]) if planned["role"] in set(Role) else Role.UNKNOWN,
        direction=direction,
        server_name=planned["sni"],
        times_s=times,
        bytes=totals,
        started_s=start_s,
        connect_s=connected_s,
        handshake_s=None
        if connected is None or "handshake" not in at
        else _instant(at["handshake"]) - _instant(connected),
        ended_s=None if finished is None else finished["t"] - start_s,
        ending=_ending(finished),
        expected_bytes=planned.get("size"),
        tcp_info=_tcp_info(records, sender, start_s),
        sender_flow=None if captured is None else captured.sender_flow,
        receiver_flow=None if captured is None else captured.receiver_flow,
        labels={
            "line": planned["line"],
            "kind": "replay" if planned["kind"] == "replay" else "fetch",
            "name": planned["name"],
            "server": _server(at),
        },
    )


def _server(at: dict[str, dict[str, Any]]) -> str:
    """Return the address that the client asked, which curl tells only once it is connected."""
    for event in ("connected", "started"):
        if event in at and "remote" in at[event]:
            return str(at[event]["remote"][0])
    return ""


def _timeline(
    records: Iterable[dict[str, Any]], side: str, start_s: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    times: list[float] = []
    totals: list[int] = []
    for record in records:
        if record["event"] == "bytes" and record["side"] == side:
            times += record["times"]
            totals += record["totals"]
    return np.maximum(np.array(times, np.float64) - start_s, 0.0), np.array(totals, np.int64)


def _instant(record: dict[str, Any]) -> float:
    """Return when it happened: curl tells afterwards, in a field of its own."""
    return float(record.get(f"t_{record['event']}", record["t"]))


def _ending(finished: dict[str, Any] | None) -> Ending:
    if finished is None:
        return Ending.UNKNOWN
    if finished["ok"]:
        return Ending.COMPLETE
    error = str(finished["error"]).lower()
    if "timed out" in error or "timeout" in error:
        return Ending.TIMEOUT
    return Ending.RESET if "reset" in error else Ending.ERROR


def _tcp_info(records: Iterable[dict[str, Any]], side: str, start_s: float) -> TcpInfo | None:
    columns: dict[str, list[float]] = {name: [] for name in ("times", *_TCP_INFO)}
    for record in records:
        if record["event"] == "tcp_info" and record["side"] == side and all(name in record for name in columns):
            for name, column in columns.items():
                column.extend(record[name])
    if not columns["times"]:
        return None
    arrays = {name: np.array(column, np.float64) for name, column in columns.items()}
    return TcpInfo(
        times_s=np.maximum(arrays["times"] - start_s, 0.0),
        bytes_sent=arrays["bytes_sent"],
        bytes_retrans=arrays["bytes_retrans"],
        rtt_s=arrays["rtt_us"] * _US,
        min_rtt_s=arrays["min_rtt_us"] * _US,
        delivery_rate_bps=arrays["delivery_rate"] * _BITS,
    )
