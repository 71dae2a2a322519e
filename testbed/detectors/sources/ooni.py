"""Transfers from OONI Web Connectivity, 0.4 and 0.5: handshakes, network events, download speed samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import numpy as np

from testbed.detectors.observation import Direction, Ending, Transfer
from testbed.detectors.sources.fields import Fields, load_json
from testbed.detectors.sources.files import read_text
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["is_ooni", "transfers_from_ooni"]

# https://github.com/ooni/probe-cli/blob/master/docs/design/dd-007-throttling.md and
# https://github.com/ooni/spec/tree/master/data-formats (df-004-tcpt, df-006-tlshandshake, df-008-netevents)
_READ: Final = "read"
_SAMPLE: Final = "bytes_received_cumulative"
_CONNECT: Final = "connect"
_TIMEOUT: Final = "generic_timeout_error"
_RESET: Final = "connection_reset"
_HANDSHAKES: Final = ("tls_handshakes", "quic_handshakes")
_ENDS: Final = frozenset({"eof_error", "connection_already_closed"})  # how a server that is done ends a connection
_MOST_NAMED: Final = 3


def is_ooni(value: object) -> bool:
    """Tell whether a parsed JSON object is an OONI measurement."""
    return isinstance(value, dict) and "test_keys" in value and "measurement_start_time" in value


def transfers_from_ooni(path: Path, *, name: str = "") -> tuple[list[Transfer], list[str]]:
    """Read the connections of one or more measurements: one JSON object a line, a list of them, or a single one.

    Bytes are those of ``read`` events; where speed samples go further (events stop after 64 a connection), samples are
    added. Times count from the start of each connection. Of many measurements, those that cannot be read are left out.

    Args:
        path: The file.
        name: Stands for it in the transfers' ids.

    Raises:
        InputError: The file is no JSON, or holds no OONI measurement that can be read.
    """
    transfers: list[Transfer] = []
    failed: list[InputError] = []
    count = 0
    for number, (where, document) in enumerate(_documents(path)):
        count += 1
        try:
            value = load_json(document, where) if isinstance(document, str) else document
            transfers += _Measurement(value, where).transfers(f"{name or path.name}#{number}")
        except InputError as error:
            failed.append(error)
        except (ValueError, OverflowError) as error:  # numbers that no transfer can have
            failed.append(InputError(f"{where}: {error}"))
    if failed and len(failed) == count:
        raise failed[0]
    remarks = []
    if failed:
        shown = "; ".join(map(str, failed[:_MOST_NAMED])) + ("; …" if len(failed) > _MOST_NAMED else "")
        remarks.append(f"{len(failed)} of {count} measurements left out: {shown}")
    if not transfers:
        remarks.append(f"{name or path.name}: no connection with data")
    return transfers, remarks


def _documents(path: Path) -> Iterator[tuple[str, object]]:
    """The measurements of a file, each with its place: lines of JSON, not parsed yet, or the values of one document.

    Only a line feed ends a line: texts may hold other separators.
    """
    text = read_text(path)
    # Whether it is one value over several lines or a value a line, the first line tells: of the former it is no JSON.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) > 1:
        try:
            load_json(lines[0][1], "first line")
        except InputError:
            lines = []  # one value over several lines
    if len(lines) > 1:
        yield from ((f"{path} line {number}", line) for number, line in lines)
        return
    value = load_json(text, str(path))
    if isinstance(value, list):
        yield from ((f"{path}: measurement {number}", item) for number, item in enumerate(value))
    else:
        yield f"{path}: measurement 0", value


@dataclass(slots=True)
class _Connection:
    """All that a measurement says of one connection."""

    events: list[Fields] = field(default_factory=list)
    handshakes: list[Fields] = field(default_factory=list)
    connects: list[Fields] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    server_name: str | None = None

    def times(self) -> Iterator[float]:
        """Yield every instant that is told, seconds since the measurement began."""
        for record in (*self.events, *self.handshakes, *self.connects):
            for name in ("t0", "t"):
                if name in record:
                    yield record.number(name)


class _Measurement:
    """The connections of one measurement, put together from its lists."""

    def __init__(self, value: object, where: str) -> None:
        if not is_ooni(value):
            raise InputError(f"{where}: no OONI measurement: test_keys or measurement_start_time is absent")
        top = Fields(value, where)
        self._keys = top.nested("test_keys")
        self._input = _host(top.optional_text("input"))
        self._connections: dict[object, _Connection] = {}
        self._latest: dict[str, int] = {}

    def transfers(self, name: str) -> list[Transfer]:
        """Return a transfer for each connection."""
        for event in self._keys.records("network_events"):
            connection = self._of(event, opens=event.text("operation") == _CONNECT)
            connection.events.append(event)
            event.number("t")  # every event has it, whatever it is of
            self._failed(connection, event)
        for kind in _HANDSHAKES:
            for handshake in self._keys.records(kind):
                connection = self._of(handshake)
                connection.handshakes.append(handshake)
                asked = handshake.optional_text("server_name") or handshake.optional_text("sni")
                connection.server_name = asked or connection.server_name
                self._failed(connection, handshake)
        for connect in self._keys.records("tcp_connect"):
            connection = self._of(connect)
            connection.connects.append(connect)
            status = connect.optional_nested("status")
            if status is not None:
                self._failed(connection, status)
        for request in self._keys.records("requests"):
            known = self._connections.get(self._key(request)) if "transaction_id" in request else None
            if known is not None:
                inner = request.optional_nested("request")
                if inner is not None and known.server_name is None:
                    known.server_name = _host(inner.optional_text("url"))
                self._failed(known, request)
        return [
            _transfer(connection, f"{name}/{number}", connection.server_name or self._input)
            for number, connection in self._numbered()
            if any(True for _ in connection.times())
        ]

    def _numbered(self) -> Iterator[tuple[object, _Connection]]:
        """Connections by the number that the measurement gives them, or by their place in it."""
        for place, (key, connection) in enumerate(self._connections.items()):
            number = key[1] if isinstance(key, tuple) and key[0] == "number" else place
            yield number, connection

    def _key(self, record: Fields) -> object:
        # 0.5 numbers transactions, 0.4 numbered connections, and neither does so always: then the address stands for it
        for name in ("transaction_id", "conn_id"):
            if name in record and record.number(name):
                return "number", int(record.number(name))
        address = record.optional_text("address")
        if not address and "ip" in record and "port" in record:
            ip = record.text("ip")
            address = f"[{ip}]:{int(record.number('port'))}" if ":" in ip else f"{ip}:{int(record.number('port'))}"
        return "address", address or "", self._latest.get(address or "", 0)

    def _of(self, record: Fields, *, opens: bool = False) -> _Connection:
        """Return the connection that a record is about. Without numbers, each connect to an address begins another."""
        key = self._key(record)
        # a second connect to an address is a second connection, if the first has had any event
        if opens and isinstance(key, tuple) and key[0] == "address":
            known = self._connections.get(key)
            if known is not None and known.events:
                self._latest[str(key[1])] = self._latest.get(str(key[1]), 0) + 1
                key = self._key(record)
        return self._connections.setdefault(key, _Connection())

    @staticmethod
    def _failed(connection: _Connection, record: Fields) -> None:
        failure = record.optional_text("failure")
        if failure:
            connection.failures.append(failure)


def _host(url: str | None) -> str | None:
    """Return the host of a URL, or of ``host:port``; an empty text is none."""
    if not url:
        return None
    try:
        host = urlsplit(url if "//" in url else f"//{url}").hostname
    except ValueError:
        return None
    return host.rstrip(".") if host else None


def _transfer(connection: _Connection, name: str, server_name: str | None) -> Transfer:
    start, end = min(connection.times()), max(connection.times())
    events = connection.events
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
    # Events stop after 64 a connection (dd-007), samples go on: they continue where the events end, and never go back.
    last = (times[-1], total[-1]) if times else (0.0, 0)
    later = [(time, size) for time, size in samples if time > last[0] and size >= last[1]]
    return Transfer(
        id=name,
        direction=Direction.DOWN,
        server_name=server_name,
        times_s=np.array(times + [time for time, _ in later], np.float64),
        bytes=np.maximum.accumulate(np.array(total + [size for _, size in later], np.int64)),
        connect_s=_connect(connection),
        handshake_s=_handshake(connection),
        ended_s=end - start,
        ending=_ending(connection.failures),
    )


def _connect(connection: _Connection) -> float | None:
    """Return the duration of the first connect that succeeded."""
    connects = [event for event in connection.events if event.text("operation") == _CONNECT]
    for record in (*connects, *connection.connects):
        status = record.optional_nested("status")
        if "t0" in record and "t" in record and "failure" not in (record if status is None else status):
            return max(0.0, record.number("t") - record.number("t0"))
    return None


def _handshake(connection: _Connection) -> float | None:
    """Return the duration of the TLS handshake, as its own record tells, else as the events do."""
    for record in connection.handshakes:
        if "failure" not in record and "t0" in record and "t" in record:
            return max(0.0, record.number("t") - record.number("t0"))
    started = [event.number("t") for event in connection.events if event.text("operation") == "tls_handshake_start"]
    done = [
        event.number("t")
        for event in connection.events
        if event.text("operation") == "tls_handshake_done" and "failure" not in event
    ]
    return max(0.0, done[0] - started[0]) if started and done else None


def _ending(failures: list[str]) -> Ending:
    # of several failures on one connection, those that a censor causes go before those that any server may
    if _TIMEOUT in failures:
        return Ending.TIMEOUT
    if _RESET in failures:
        return Ending.RESET
    return Ending.ERROR if any(failure not in _ENDS for failure in failures) else Ending.COMPLETE
