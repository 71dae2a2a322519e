"""Datagrams of the box's own making, put on the wire at the right port.

They go out as if the neighbour on the other side had sent them: the box has no address of its own. They leave the port
without crossing the bridge, so nothing inspects them again.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING

from testbed.errors import CertificateError

if TYPE_CHECKING:
    from testbed.middlebox.packet import Direction

__all__ = ["Wires"]

_ETH_P_ALL = 0x0003
_ADDRESS = 6
_HEADER = 14
_TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}  # EtherType by IP version
_SO_SNDBUFFORCE, _SEND_BYTES = 32, 1 << 28
_SO_ATTACH_FILTER = 26
_TAKE_NOTHING = struct.pack("=HBBI", 0x06, 0, 0, 0)  # classic BPF, one instruction: return 0 bytes of any frame
_PACKET_OTHERHOST = 3  # linux/if_packet.h: neither to the port itself nor from it: crossing the bridge


class Wires:
    """The two ports of a bridge, to send on.

    The neighbours' Ethernet addresses are learnt from the first frame that crosses the bridge; it has both.

    Args:
        ports: By direction, the name of the port where packets come in.
    """

    def __init__(self, ports: dict[Direction, str]) -> None:
        self._taps = {direction: _socket(name, _ETH_P_ALL) for direction, name in ports.items()}
        # What goes up leaves by the port where packets from outside come in.
        self._exits = {direction.opposite: _socket(name, 0) for direction, name in ports.items()}
        self._heads: dict[Direction, bytes] = {}  # destination and source, by the direction of what is sent

    def learn(self, direction: Direction) -> bool:
        """Take the neighbours' addresses from a packet that has come in this direction, unless they are known.

        Returns:
            Whether they are known since just now, and it is time to `stop_listening`.
        """
        if self._heads:
            return False
        while not self._heads:
            try:
                frame, address = self._taps[direction].recvfrom(_HEADER)
            except BlockingIOError:
                return False
            if address[2] == _PACKET_OTHERHOST and frame[2 * _ADDRESS :] in _TYPES.values():
                onward, back = frame[: 2 * _ADDRESS], frame[_ADDRESS : 2 * _ADDRESS] + frame[:_ADDRESS]
                self._heads = {direction: onward, direction.opposite: back}
        return True

    def stop_listening(self) -> None:
        """Hear nothing more. It takes longer than to decide on a packet does, so let none wait for it."""
        for tap in self._taps.values():
            _deafen(tap)

    def send(self, direction: Direction, data: bytes) -> None:
        """Send a datagram in a direction.

        Raises:
            CertificateError: No frame has crossed the bridge yet, so nobody knows where to.
        """
        head = self._heads.get(direction)
        if head is None:
            raise CertificateError("a packet was to be injected before any had crossed the box")
        self._exits[direction].send(head + _TYPES[data[0] >> 4] + data)


def _deafen(tap: socket.socket) -> None:
    """Let a tap hear nothing more.

    To close it would hold up the packet that was learnt from, by some 20 ms on a machine's own kernel: that waits until
    no processor can be in the middle of handing it a frame (synchronize_net in packet_release).
    """
    program = ctypes.create_string_buffer(_TAKE_NOTHING, len(_TAKE_NOTHING))
    tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))


def _socket(name: str, protocol: int) -> socket.socket:
    """Return a raw socket on a link. With protocol 0 it hears nothing."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # No IP layer stands between here and the wire: what a link delays still counts as unsent.
    try:
        wire.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BYTES)
    except PermissionError:  # the machine's own root alone may have more than everybody
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
    wire.bind((name, protocol))
    wire.settimeout(0)  # does not block
    return wire
