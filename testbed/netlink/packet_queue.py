"""Packets from the kernel's queue to user space, and a verdict on each (NFQUEUE), without a library.

Sources: include/uapi/linux/netfilter/nfnetlink_queue.h; net/netfilter/nfnetlink_queue.c. Numbers are big-endian there.
Not for: which packets are queued (nftables.py), and what becomes of them.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING

from testbed.errors import CertificateError
from testbed.netlink.nftables import NETLINK_NETFILTER
from testbed.netlink.socket import NetlinkSocket, Request, attribute, attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PacketQueue", "QueuedPacket"]

_QUEUE = 3  # NFNL_SUBSYS_QUEUE
_PACKET, _VERDICT, _CONFIG = (_QUEUE << 8 | kind for kind in (0, 1, 2))
_CONFIG_COMMAND, _CONFIG_PARAMETERS, _CONFIG_LENGTH = 1, 2, 3
_BIND, _COPY_PACKET = 1, 2
_ID, _VERDICT_ON, _MARK, _TIMESTAMP, _PAYLOAD = 1, 2, 3, 4, 10
_DROP, _ACCEPT = 0, 1
_LONGEST = 0xFFFF  # of an IP datagram
_ROOM = _LONGEST + 1024  # with what is told of it
_SO_RCVBUFFORCE = 33
_MESSAGE = struct.Struct("=IHHII")
_GENERIC = struct.Struct(">BBH")
_NS_PER_S, _NS_PER_US = 1_000_000_000, 1000


class QueuedPacket:
    """A packet that waits for its verdict.

    Attributes:
        mark: That it has.
        arrived_ns: When the kernel got it, nanoseconds since 1970, in steps of a microsecond; 0: it has not said.
        payload: The datagram.
    """

    __slots__ = ("_changed", "_number", "_queue", "arrived_ns", "mark", "payload")

    def __init__(self, queue: PacketQueue, told: dict[int, bytes]) -> None:
        """Read what the kernel tells of it."""
        self._queue = queue
        self._number = told[_ID][:4]
        self._changed: bytes | None = None
        self.mark: int = struct.unpack(">I", told[_MARK])[0] if _MARK in told else 0
        seconds, microseconds = struct.unpack(">QQ", told[_TIMESTAMP]) if _TIMESTAMP in told else (0, 0)
        self.arrived_ns = seconds * _NS_PER_S + microseconds * _NS_PER_US
        self.payload = told.get(_PAYLOAD, b"")

    def accept(self) -> None:
        """Let the packet go on."""
        self._queue.decide(self._number, _ACCEPT, self._changed)

    def drop(self) -> None:
        """Do not let it go on."""
        self._queue.decide(self._number, _DROP, None)

    def set_payload(self, data: bytes) -> None:
        """Put another datagram in its place, before the verdict."""
        self._changed = data


class PacketQueue:
    """A queue of the network namespace that the calling thread is in.

    Args:
        number: Of the queue.
        length: How many packets may wait.
        buffer_bytes: What may wait to be read: a burst waits there instead of being lost.

    Raises:
        NetlinkError: The kernel has no such queue to give, for instance because somebody else has it.
        CertificateError: The kernel gives less room than was asked for.
    """

    def __init__(self, number: int, *, length: int, buffer_bytes: int) -> None:
        self._number = number
        command = attribute(_CONFIG_COMMAND, struct.pack(">BxH", _BIND, socket.AF_UNSPEC))
        parameters = attribute(_CONFIG_PARAMETERS, struct.pack(">IB", _LONGEST, _COPY_PACKET))
        maximum = attribute(_CONFIG_LENGTH, struct.pack(">I", length))
        self._kernel = NetlinkSocket(NETLINK_NETFILTER)
        self._socket = self._kernel.raw
        self._make_room(buffer_bytes)
        # In one message: a packet that came in between would be taken for an answer, and be lost.
        what = f"set up packet queue {number}"
        self._kernel.send([Request(_CONFIG, self._head + command + parameters + maximum, what=what)])
        self._socket.settimeout(0)  # does not block

    def _make_room(self, buffer_bytes: int) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
        except PermissionError:
            # Only the machine's own root may have more than everybody. What does not fit into that is counted as lost.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
            return
        actual = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        if actual < buffer_bytes:
            raise CertificateError(f"the packet queue was to have room for {buffer_bytes} bytes, it has {actual}")

    @property
    def _head(self) -> bytes:
        return _GENERIC.pack(socket.AF_UNSPEC, 0, self._number)

    def fileno(self) -> int:
        """For poll: readable while packets wait."""
        return self._socket.fileno()

    def packets(self) -> Iterator[QueuedPacket]:
        """Yield the packets that wait, until there is none; each is to be decided on, now or later.

        Raises:
            OSError: The kernel refused a verdict, or the socket is no more.
        """
        while True:
            try:
                data = self._socket.recv(_ROOM)
            except BlockingIOError:
                return
            except OSError as error:
                # Some did not fit: how many is in the queue's counters, and makes the run invalid.
                if error.errno == errno.ENOBUFS:
                    continue
                raise
            kind = _MESSAGE.unpack_from(data)[1]
            if kind == _PACKET:
                yield QueuedPacket(self, attributes(data[_MESSAGE.size + _GENERIC.size :]))

    def decide(self, packet: bytes, verdict: int, changed: bytes | None) -> None:
        """Tell the kernel what becomes of a packet, and which datagram is to be in its place."""
        body = self._head + attribute(_VERDICT_ON, struct.pack(">I", verdict) + packet)
        if changed is not None:
            body += attribute(_PAYLOAD, changed)
        self._kernel.tell(Request(_VERDICT, body, what="decide on a packet"))

    def close(self) -> None:
        """Give the queue back; what waits in it is dropped."""
        self._kernel.close()
