"""Transfers from ndt7 results as M-Lab archives them: counter messages of both sides and the server's tcp_info."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import Direction, Ending, TcpInfo, Transfer
from testbed.detectors.sources.fields import Fields, load_json
from testbed.detectors.sources.files import read_text
from testbed.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_ndt7", "transfers_from_ndt7"]

# https://github.com/m-lab/ndt-server/blob/main/spec/ndt7-protocol.md; times of TCPInfo are microseconds
_US: Final = 1e6
_BITS: Final = 8


def is_ndt7(value: object) -> bool:
    """Tell whether a parsed JSON object is an archived ndt7 result."""
    return isinstance(value, dict) and ("Download" in value or "Upload" in value) and "test_keys" not in value


def transfers_from_ndt7(path: Path, *, name: str = "") -> tuple[list[Transfer], list[str]]:
    """Read the download and the upload of one result.

    The timeline is the receiver's: the client's counters of a download, else what the server's kernel saw acknowledged;
    what the server's kernel received of an upload. ``name`` stands for the file in the transfers' ids.

    Raises:
        InputError: The file is no ndt7 result, or a message contradicts the format.
    """
    value = load_json(read_text(path), str(path))
    if not is_ndt7(value):
        raise InputError(f"{path}: no ndt7 result: neither Download nor Upload is there")
    top = Fields(value, str(path))
    transfers = []
    for kind, direction in (("Download", Direction.DOWN), ("Upload", Direction.UP)):
        test = top.optional_nested(kind)
        if test is not None:
            transfers.append(_transfer(test, f"{name or path.name}#{kind.lower()}", direction))
    return transfers, []


def _transfer(test: Fields, name: str, direction: Direction) -> Transfer:
    kernel = [info for message in test.records("ServerMeasurements") if (info := message.optional_nested("TCPInfo"))]
    kernel.sort(key=lambda info: info.number("ElapsedTime"))
    counters = [info for message in test.records("ClientMeasurements") if (info := message.optional_nested("AppInfo"))]
    counted = "BytesReceived" if direction is Direction.UP else "BytesAcked"
    points = [(info.number("ElapsedTime") / _US, info.number(counted)) for info in kernel]
    if direction is Direction.DOWN and counters:
        points = [(info.number("ElapsedTime") / _US, info.number("NumBytes")) for info in counters]
    points.sort()  # messages of a stream come in order, but nothing in the format says so
    return Transfer(
        id=name,
        direction=direction,
        times_s=np.array([time for time, _ in points], np.float64),
        bytes=np.maximum.accumulate(np.array([int(size) for _, size in points], np.int64))
        if points
        else np.zeros(0, np.int64),
        ending=Ending.UNKNOWN,
        tcp_info=_tcp_info(kernel) if kernel and direction is Direction.DOWN else None,
    )


def _tcp_info(kernel: list[Fields]) -> TcpInfo:
    def column(name: str, scale: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([info.number(name) * scale for info in kernel], np.float64)

    return TcpInfo(
        times_s=column("ElapsedTime", 1 / _US),
        busy_s=column("BusyTime", 1 / _US),
        rwnd_limited_s=column("RWndLimited", 1 / _US),
        sndbuf_limited_s=column("SndBufLimited", 1 / _US),
        bytes_sent=column("BytesSent"),
        bytes_retrans=column("BytesRetrans"),
        rtt_s=column("RTT", 1 / _US),
        min_rtt_s=column("MinRTT", 1 / _US),
        delivery_rate_bps=column("DeliveryRate", _BITS),
    )
