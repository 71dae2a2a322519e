"""How fast an end sends or reads, and how much its socket holds."""

from __future__ import annotations

import contextlib
import socket
import struct

from testbed.errors import GuestError

__all__ = ["Pace", "set_pacing", "set_receive_buffer", "set_send_buffer"]

_BITS = 8
_MOST_LAG_S = 0.05  # a wake-up so late is made good; after a longer stop nothing is, so that no burst follows it
# For who may exceed the limit of the machine (asm-generic/socket.h): the guest's programs are root there.
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_SO_MAX_PACING_RATE = 47  # asm-generic/socket.h; eight bytes, bytes a second


class Pace:
    """A schedule of bytes: so many bits a second, and never more than a moment's worth at once.

    Args:
        rate_bps: Bits per second.
        now: Seconds, on the clock of whoever asks.
    """

    def __init__(self, rate_bps: float, now: float) -> None:
        self._rate_bps = rate_bps
        self._next = now

    def delay(self, now: float) -> float:
        """Return how long to wait before the next bytes, seconds."""
        return max(self._next - now, 0.0)

    def spend(self, count: int, now: float) -> None:
        """Note that so many bytes went at ``now``."""
        # From the instant at which they were due, not from now: wake-ups that come late would add up.
        self._next = max(self._next, now - _MOST_LAG_S) + count * _BITS / self._rate_bps


def set_send_buffer(of: socket.socket, size: int) -> None:
    """Give a socket a send buffer of so many bytes. Raises GuestError if the kernel gives another."""
    _set_buffer(of, socket.SO_SNDBUF, _SO_SNDBUFFORCE, size)


def set_pacing(of: socket.socket, rate_bps: int) -> None:
    """Let TCP space the segments of a connection at a rate at most. Raises GuestError if the kernel has another."""
    # TCP does this by itself (net/ipv4/tcp_output.c): no discipline of the interface is needed.
    wanted = rate_bps // 8
    of.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, struct.pack("=Q", wanted))
    found = struct.unpack("=Q", of.getsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, 8))[0]
    if found != wanted:
        raise GuestError(f"pacing of {wanted} bytes a second was asked for, and the kernel has {found}")


def set_receive_buffer(of: socket.socket, size: int) -> None:
    """Give a socket a receive buffer of so many bytes, before it connects. Raises GuestError if it gets another."""
    # Before: the first packet settles the scale of the window, which follows from the buffer.
    _set_buffer(of, socket.SO_RCVBUF, _SO_RCVBUFFORCE, size)


def _set_buffer(of: socket.socket, option: int, forced: int, size: int) -> None:
    # Read back as half: the kernel books twice what is asked for, and cuts it at a limit of the machine's.
    of.setsockopt(socket.SOL_SOCKET, option, size)
    if of.getsockopt(socket.SOL_SOCKET, option) != 2 * size:
        with contextlib.suppress(PermissionError):
            of.setsockopt(socket.SOL_SOCKET, forced, size)
    found = of.getsockopt(socket.SOL_SOCKET, option) // 2
    if found != size:
        raise GuestError(f"a socket's buffer of {size} bytes was asked for, and the kernel gave {found}")
