"""What a measurement client could have seen: all that a detector is given. It has no place for ground truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from testbed.capture import Flow

__all__ = ["Direction", "Ending", "Observation", "Role", "SpeedTable", "TcpInfo", "Transfer"]


CLOCK_S = 1e-9  # what no clock resolves counts as no time: a rate over it would be any number


class Role(StrEnum):
    """Whether a transfer carries what may be throttled, or what surely is not."""

    TARGET = "target"
    CONTROL = "control"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Which way the data went, seen from the measurement client."""

    DOWN = "down"
    UP = "up"


class Ending(StrEnum):
    """How a transfer ended for the client."""

    COMPLETE = "complete"
    TIMEOUT = "timeout"
    RESET = "reset"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpInfo:
    """Samples of the data sender's ``struct tcp_info``; arrays of shape (n,), float64.

    Attributes:
        times_s: Seconds since the start of the transfer, increasing.
        busy_s, rwnd_limited_s, sndbuf_limited_s: Cumulative seconds, as in ``tcpi_busy_time`` and its neighbours; None
            where they were not recorded.
        bytes_sent, bytes_retrans: Cumulative bytes.
        rtt_s, min_rtt_s: Smoothed and least round-trip time, seconds.
        delivery_rate_bps: Bits a second.
    """

    times_s: NDArray[np.float64]
    bytes_sent: NDArray[np.float64]
    bytes_retrans: NDArray[np.float64]
    rtt_s: NDArray[np.float64]
    min_rtt_s: NDArray[np.float64]
    delivery_rate_bps: NDArray[np.float64]
    busy_s: NDArray[np.float64] | None = None
    rwnd_limited_s: NDArray[np.float64] | None = None
    sndbuf_limited_s: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.times_s)
        for name in self.__slots__:
            column = getattr(self, name)
            if column is None:
                continue
            _check_column(f"tcp_info.{name}", column, count)
            if (column < 0).any():
                raise ValueError(f"tcp_info.{name} has negative values")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One upload or download.

    Attributes:
        id: Name of the transfer, unique in its observation.
        role: Target or control.
        direction: Which way the data went.
        server_name: Name asked for, or None.
        times_s: Seconds since the transfer began at which bytes arrived at their receiver, float64, shape (n,).
        bytes: Cumulative payload bytes by then, int64, shape (n,).
        started_s: Seconds between the start of the observation and that of the transfer.
        connect_s: Duration of the TCP handshake, or None.
        handshake_s: Duration of the TLS handshake, or None.
        ended_s: Seconds since the transfer began at which it ended, or None.
        ending: How it ended.
        expected_bytes: Size of what was asked for, or None.
        tcp_info: Samples at the data's sender, or None.
        sender_flow, receiver_flow: Packets captured at the data's sender and at its receiver, or None.
        labels: What distinguishes the transfer in a test of several: ``pair`` (transfers compared with one another),
            ``round``, ``path``, ``port`` and ``payload`` are read by detectors; others are carried along.

    Raises:
        ValueError: The arrays differ in length, hold NaN or negative numbers, or decrease; or a name is no text.
    """

    id: str
    role: Role = Role.UNKNOWN
    direction: Direction = Direction.DOWN
    server_name: str | None = None
    times_s: NDArray[np.float64]
    bytes: NDArray[np.int64]
    started_s: float = 0.0
    connect_s: float | None = None
    handshake_s: float | None = None
    ended_s: float | None = None
    ending: Ending = Ending.UNKNOWN
    expected_bytes: int | None = None
    tcp_info: TcpInfo | None = None
    sender_flow: Flow | None = None
    receiver_flow: Flow | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _are_texts(self.id, self.server_name):
            raise ValueError(f"transfer {self.id}: its id and server_name {self.server_name!r} must be texts")
        count = len(self.times_s)
        _check_column(f"transfer {self.id}: times_s", self.times_s, count)
        _check_column(f"transfer {self.id}: bytes", self.bytes, count)
        if count and (self.times_s[0] < 0 or (np.diff(self.times_s) < 0).any()):
            raise ValueError(f"transfer {self.id}: times_s must not be negative nor decrease")
        if count and (self.bytes[0] < 0 or (np.diff(self.bytes) < 0).any()):
            raise ValueError(f"transfer {self.id}: bytes is cumulative: it must not be negative nor decrease")
        for name in ("started_s", "connect_s", "handshake_s", "ended_s"):
            number = getattr(self, name)
            if number is not None and not (np.isfinite(number) and number >= 0):
                raise ValueError(f"transfer {self.id}: {name} is {number}, not a duration in seconds")

    @property
    def total_bytes(self) -> int:
        """Payload bytes that arrived."""
        return int(self.bytes[-1]) if len(self.bytes) else 0

    @property
    def duration_s(self) -> float:
        """Seconds from the start to the last byte that arrived."""
        return float(self.times_s[-1]) if len(self.times_s) else 0.0

    @property
    def goodput_bps(self) -> float | None:
        """Bits a second over the whole transfer, set-up included, or None if nothing arrived or no time passed."""
        moved = self.total_bytes > 0 and self.duration_s >= CLOCK_S
        return self.total_bytes * 8 / self.duration_s if moved else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedTable:
    """Many speed tests, one a row; arrays of shape (n,).

    Attributes:
        times_s: When, seconds since 1970, float64.
        target_bps: Speed of the target, bits a second, float64.
        controls_bps: Name of a control to its speeds, float64 each.
        group: Network, country or other group that a row belongs to, str.

    Raises:
        ValueError: The columns differ in length, or hold NaN, infinite or negative numbers.
    """

    times_s: NDArray[np.float64]
    target_bps: NDArray[np.float64]
    controls_bps: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    group: NDArray[np.str_]

    def __post_init__(self) -> None:
        count = len(self.times_s)
        if len(self.group) != count:
            raise ValueError(f"speeds.group has {len(self.group)} rows, times_s {count}")
        _check_column("speeds.times_s", self.times_s, count)
        for name, column in (("target_bps", self.target_bps), *self.controls_bps.items()):
            _check_column(f"speeds.{name}", column, count)
            if (column < 0).any():
                raise ValueError(f"speeds.{name} has negative speeds")

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was measured, and nothing about what was done to it.

    Attributes:
        source: Where it comes from: a path, or a word.
        transfers: Single transfers.
        speeds: Many speed tests, or None.
        notes: Sentences on what reading the source left out.
    """

    source: str
    transfers: tuple[Transfer, ...] = ()
    speeds: SpeedTable | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ids = [transfer.id for transfer in self.transfers]
        # Verdicts, marks and pairs go by the id: of two transfers of one name, neither could be meant.
        twice = next((i for i in ids if ids.count(i) > 1), None) if len(set(ids)) < len(ids) else None
        if twice is not None:
            raise ValueError(f"two transfers are called {twice!r}")

    def with_role(self, role: Role) -> tuple[Transfer, ...]:
        """Return the transfers of one role, in order."""
        return tuple(transfer for transfer in self.transfers if transfer.role is role)


def _are_texts(name: object, server_name: object) -> bool:
    """Return whether these are what they are typed to be: a program of the user's may have made them of anything."""
    return isinstance(name, str) and isinstance(server_name, str | None)


def _check_column(name: str, column: NDArray[np.float64] | NDArray[np.int64], count: int) -> None:
    if column.ndim != 1 or len(column) != count:
        raise ValueError(f"{name} has shape {column.shape}, expected ({count},)")
    if not np.isfinite(column).all():
        raise ValueError(f"{name} holds NaN or infinite values")
