"""Transfers from OONI Web Connectivity measurements: network events and download speed samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.fields import Fields, load_json
from testbed.detectors.observation import Direction, Ending, Transfer
from testbed.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_ooni", "transfers_from_ooni"]

# https://github.com/ooni/probe-cli/blob/master/docs/design/dd-007-throttling.md
_READ: Final = "read"
_SAMPLE: Final = "bytes_received_cumulative"
_TIMEOUT: Final = "generic_timeout_error"
_RESET: Final = "connection_reset"


def is_ooni(value: object) -> bool:
    """Tell whether a parsed JSON object is an OONI measurement."""
    return isinstance(value, dict) and "test_keys" in value and "measurement_start_time" in value


def transfers_from_ooni(path: Path) -> tuple[list[Transfer], list[str]]:
    """Read the connections of one or more measurements, one JSON object a line or a single one.

    Bytes are those of ``read`` events; where speed samples go further (events stop after 64 a connection), samples are
    added. Times count from the start of each connection.

    Raises:
        InputError: The file is no OONI measurement, or an event contradicts the format.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    whole = text.lstrip().startswith("{\n") or "\n" not in text.strip()
    documents = [text] if whole else [line for line in text.splitlines() if line.strip()]
    transfers: list[Transfer] = []
    for number, document in enumerate(documents):
        where = f"{path}: measurement {number}"
        value = load_json(document, where)
        if not is_ooni(value):
            raise InputError(f"{where}: no OONI measurement: test_keys or measurement_start_time is absent")
        transfers += _connections(Fields(value, where), f"{path.name}#{number}")
    return transfers, [] if transfers else [f"{path.name}: no connection with data"]


def _connections(measurement: Fields, name: str) -> list[Transfer]:
    keys = measurement.nested("test_keys")
    names = {
        int(item.number("transaction_id")): item.optional_text("server_name") or item.optional_text("sni")
        for item in keys.records("tls_handshakes")
        if "transaction_id" in item
    }
    events: dict[int, list[Fields]] = {}
    for event in keys.records("network_events"):
        events.setdefault(int(event.optional_number("transaction_id") or 0), []).append(event)
    return [
        _transfer(group, f"{name}/{number}", names.get(number) or measurement.optional_text("input"))
        for number, group in events.items()
    ]


def _transfer(events: list[Fields], name: str, server_name: str | None) -> Transfer:
    start = min(event.number("t0" if "t0" in event else "t") for event in events)
    reads = sorted(
        (event.number("t") - start, event.optional_integer("num_bytes") or 0)
        for event in events
        if event.text("operation") == _READ and "failure" not in event
    )
    samples = sorted(
        (event.number("t") - start, event.optional_integer("num_bytes") or 0)
        for event in events
        if event.text("operation") == _SAMPLE
    )
    times = [time for time, _ in reads]
    total = np.cumsum([size for _, size in reads], dtype=np.int64).tolist() if reads else []
    last = (times[-1], total[-1]) if times else (0.0, 0)
    later = [(time, size) for time, size in samples if time > last[0] and size >= last[1]]
    failures = [text for event in events if (text := event.optional_text("failure"))]
    return Transfer(
        id=name,
        direction=Direction.DOWN,
        server_name=server_name,
        times_s=np.array(times + [time for time, _ in later], np.float64),
        bytes=np.maximum.accumulate(np.array(total + [size for _, size in later], np.int64)),
        connect_s=_duration(events, "connect"),
        handshake_s=_handshake(events),
        ended_s=max(event.number("t") for event in events) - start,
        ending=_ending(failures),
    )


def _duration(events: list[Fields], operation: str) -> float | None:
    for event in events:
        if event.text("operation") == operation and "t0" in event and "failure" not in event:
            return max(0.0, event.number("t") - event.number("t0"))
    return None


def _handshake(events: list[Fields]) -> float | None:
    started = [event.number("t") for event in events if event.text("operation") == "tls_handshake_start"]
    done = [
        event.number("t")
        for event in events
        if event.text("operation") == "tls_handshake_done" and "failure" not in event
    ]
    return max(0.0, done[0] - started[0]) if started and done else None


def _ending(failures: list[str]) -> Ending:
    if _TIMEOUT in failures:
        return Ending.TIMEOUT
    if _RESET in failures:
        return Ending.RESET
    real = [failure for failure in failures if failure not in ("eof_error", "connection_already_closed")]
    return Ending.ERROR if real else Ending.COMPLETE
