"""A download as OONI's Web Connectivity 0.5 would have recorded it: with what that client leaves out.

It keeps the first 64 events of a connection, waits ten seconds for the handshake and ten more for the page, reads no
more than 2^19 bytes of a body, and samples a byte counter all along (ooni/probe-cli, docs/design/dd-007-throttling.md).
What stands here is read back by `testbed.detectors.sources.ooni`.

Not for: uploads, which Web Connectivity does not make, and labels, which a measurement must not hold.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from testbed.detectors.observation import Direction, Ending
from testbed.detectors.outputs.sampled import LONGEST_S, samples

if TYPE_CHECKING:
    from testbed.detectors.observation import Transfer
    from testbed.records.jsonl import JsonValue

__all__ = ["MOST_BODY_BYTES", "MOST_EVENTS", "ooni_measurement"]

MOST_EVENTS: Final = 64
MOST_BODY_BYTES: Final = 1 << 19
_ADDRESS: Final = "192.0.2.1:443"  # of documentation: which server it was stands in the label
_TRANSACTION: Final = 1
_FAILURES: Final = {
    Ending.TIMEOUT: "generic_timeout_error", Ending.RESET: "connection_reset", Ending.ERROR: "unknown_failure: error",
}  # fmt: skip
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Event = dict[str, "JsonValue"]


def ooni_measurement(transfer: Transfer, *, begun_ns: int, version: str) -> dict[str, JsonValue] | None:
    """Return one measurement with one connection; None for an upload.

    Args:
        transfer: A download.
        begun_ns: When its observation began, since the epoch.
        version: Of this program.
    """
    if transfer.direction is not Direction.DOWN:
        return None
    begun = _EPOCH + timedelta(microseconds=begun_ns // 1000) + timedelta(seconds=transfer.started_s)
    when = begun.strftime("%Y-%m-%d %H:%M:%S")
    connection = _Connection(transfer)
    return {
        "annotations": {},
        "data_format_version": "0.2.0",
        "input": f"https://{transfer.server_name or '192.0.2.1'}/",
        "measurement_start_time": when,
        "test_start_time": when,
        "probe_asn": "AS64500",  # of documentation, RFC 5398
        "probe_cc": "ZZ",
        "report_id": "",
        "software_name": "throttling-testbed",
        "software_version": version,
        "test_name": "web_connectivity",
        "test_version": "0.5.0",
        "test_runtime": round(connection.end_s, 6),
        "test_keys": {
            "network_events": [*connection.events(), *connection.speed_samples()],
            "tcp_connect": [connection.tcp_connect()],
            "tls_handshakes": connection.tls_handshakes(),
            "requests": connection.requests(),
        },
    }


class _Connection:
    """What a client of that kind would have seen of a transfer, instant by instant."""

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self._failure = _FAILURES.get(transfer.ending)
        last_s = transfer.ended_s if transfer.ended_s is not None else transfer.duration_s
        if transfer.ending is Ending.COMPLETE:
            # All has come, even where the last byte's time is that of an acknowledgement, which leaves after the end.
            last_s = max(last_s, transfer.duration_s)
        self._connected_s = transfer.connect_s
        self._shaken_s = (
            transfer.connect_s + transfer.handshake_s
            if transfer.connect_s is not None and transfer.handshake_s is not None
            else None
        )
        self.is_truncated = False
        self.end_s = last_s
        if self._shaken_s is None or self._shaken_s > LONGEST_S:
            # The connection, or its handshake, did not come to an end in time.
            self._shaken_s = None
            self._cut(LONGEST_S, "generic_timeout_error")
        else:
            self._cut(self._shaken_s + LONGEST_S, "generic_timeout_error")
            self._cut_body(self._shaken_s)

    def _cut(self, limit_s: float, failure: str) -> None:
        if self.end_s > limit_s:
            self.end_s, self._failure = limit_s, failure

    def _cut_body(self, begin_s: float) -> None:
        """End where the body's limit is reached, in the read that reaches it."""
        # What comes before the handshake is done is the handshake's, and no part of the body.
        before = 0
        for time_s, total in self._timeline():
            if time_s <= begin_s:
                before = total
            elif total - before >= MOST_BODY_BYTES and time_s < self.end_s:
                self.end_s, self._failure, self.is_truncated = time_s, None, True
                return

    def _timeline(self) -> list[tuple[float, int]]:
        return list(zip(self._transfer.times_s.tolist(), self._transfer.bytes.tolist(), strict=True))

    def _event(self, operation: str, begin_s: float, end_s: float, **more: JsonValue) -> _Event:
        return {
            "address": _ADDRESS, "failure": None, "operation": operation, "proto": "tcp", "t0": round(begin_s, 6),
            "t": round(end_s, 6), "tags": ["depth=0"], "transaction_id": _TRANSACTION, **more,
        }  # fmt: skip

    def events(self) -> list[JsonValue]:
        """Return the first events of the connection, in order."""
        found: list[_Event] = []
        if self._connected_s is not None:
            found.append(self._event("connect", 0.0, self._connected_s))
            found.append(self._event("tls_handshake_start", self._connected_s, self._connected_s, num_bytes=0))
        last_s, last = self._connected_s or 0.0, 0
        for time_s, total in self._timeline():
            if time_s > self.end_s:
                break
            if total > last:
                found.append(self._event("read", last_s, time_s, num_bytes=total - last))
            last_s, last = time_s, total
        if self._shaken_s is not None:
            found.append(self._event("tls_handshake_done", self._shaken_s, self._shaken_s, num_bytes=0))
        # A handshake's end falls between reads, and the first 64 are the first in time.
        found.sort(key=lambda event: float(str(event["t"])))
        return [*found[:MOST_EVENTS]]

    def speed_samples(self) -> list[JsonValue]:
        """Return what the byte counter said, from the connection on."""
        if self._connected_s is None:
            return []
        lot = f"ooni {self._transfer.id}"
        read = samples(self._transfer, begin_s=self._connected_s, end_s=self.end_s, lot=lot)
        return [self._event("bytes_received_cumulative", at, at, num_bytes=total) for at, total in read]

    def tcp_connect(self) -> JsonValue:
        """Return how connecting ended."""
        done = self._connected_s is not None
        ip, _, port = _ADDRESS.partition(":")
        failure = None if done else self._failure or "generic_timeout_error"
        return {
            "ip": ip, "port": int(port), "status": {"failure": failure, "success": done}, "t0": 0.0,
            "t": round(self._connected_s if self._connected_s is not None else self.end_s, 6),
            "transaction_id": _TRANSACTION,
        }  # fmt: skip

    def tls_handshakes(self) -> list[JsonValue]:
        """Return how the handshake ended; nothing where there was no connection."""
        if self._connected_s is None:
            return []
        done = self._shaken_s is not None
        return [{
            "address": _ADDRESS, "network": "tcp", "server_name": self._transfer.server_name,
            "failure": None if done else self._failure or "generic_timeout_error", "t0": round(self._connected_s, 6),
            "t": round(self._shaken_s if self._shaken_s is not None else self.end_s, 6), "tags": ["depth=0"],
            "transaction_id": _TRANSACTION,
        }]  # fmt: skip

    def requests(self) -> list[JsonValue]:
        """Return how fetching the page ended; nothing where there was no handshake."""
        if self._shaken_s is None:
            return []
        return [{
            "request": {"method": "GET", "url": f"https://{self._transfer.server_name or '192.0.2.1'}/"},
            "response": {"body_is_truncated": self.is_truncated, "code": 200, "headers": {}},
            "failure": self._failure, "t0": round(self._shaken_s, 6), "t": round(self.end_s, 6),
            "transaction_id": _TRANSACTION,
        }]  # fmt: skip
