"""A download as the client of an ndt7 test would have recorded it: its byte counter, for ten seconds.

https://github.com/m-lab/ndt-server/blob/main/spec/ndt7-protocol.md; read back by `testbed.detectors.sources.ndt7`.
The server's kernel (``TCPInfo``) is left out: the emulated web servers are ordinary programs, which do not tell of it.

Not for: uploads, which ndt7 measures by what the server's kernel says, and labels.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from testbed.detectors.observation import Direction
from testbed.detectors.outputs.sampled import LONGEST_S, bytes_at, samples

if TYPE_CHECKING:
    from testbed.detectors.observation import Transfer
    from testbed.records.jsonl import JsonValue

__all__ = ["ndt7_result"]

_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def ndt7_result(transfer: Transfer, *, begun_ns: int, version: str) -> dict[str, JsonValue] | None:
    """Return an archived result with a download; None for an upload, and for a download of which nothing came.

    Args:
        transfer: A download.
        begun_ns: When its observation began, since the epoch.
        version: Of this program.
    """
    if transfer.direction is not Direction.DOWN or not len(transfer.times_s):
        return None
    # An ndt7 test begins when its WebSocket is open; there is none here, and a TLS connection is the nearest to it.
    begin_s = (transfer.connect_s or 0.0) + (transfer.handshake_s or 0.0)
    end_s = min(transfer.duration_s, begin_s + LONGEST_S)
    begun = _EPOCH + timedelta(microseconds=begun_ns // 1000) + timedelta(seconds=transfer.started_s)
    before = bytes_at(transfer, begin_s)  # of the handshake: the counter is the application's
    read = samples(transfer, begin_s=begin_s, end_s=end_s, lot=f"ndt7 {transfer.id}")
    return {
        "Version": version,
        "ClientIP": "192.0.2.2",  # addresses of documentation
        "ServerIP": "192.0.2.1",
        "StartTime": _zulu(begun),
        "EndTime": _zulu(begun + timedelta(seconds=end_s)),
        "Download": {
            "StartTime": _zulu(begun + timedelta(seconds=begin_s)),
            "EndTime": _zulu(begun + timedelta(seconds=end_s)),
            "ServerMeasurements": [],
            "ClientMeasurements": [
                {
                    "AppInfo": {"ElapsedTime": round((at - begin_s) * _US), "NumBytes": total - before},
                    "Origin": "client",
                    "Test": "download",
                }
                for at, total in read
            ],
        },
    }


def _zulu(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")
