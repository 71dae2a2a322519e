"""Segmentation and receive offloads: turned off and read back, because averages survive them and time series do not.

The legacy ethtool commands are used (linux/ethtool.h, ETHTOOL_S* and ETHTOOL_G*): every driver answers them.
"""

from __future__ import annotations

import array
import fcntl
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_SIOCETHTOOL = 0x8946
_COMMANDS = {  # name: (get, set), from linux/ethtool.h
    "rx-checksum": (0x14, 0x15),
    "tx-checksum": (0x16, 0x17),
    "scatter-gather": (0x18, 0x19),
    "tso": (0x1E, 0x1F),
    "gso": (0x23, 0x24),
    "gro": (0x2B, 0x2C),
}
_LINK = 0x0A  # ETHTOOL_GLINK
SEGMENTING = ("tso", "gso", "gro", "tx-checksum")


def _call(control: socket.socket, interface: str, command: int, value: int) -> int:
    buffer = array.array("B", struct.pack("=II", command, value))
    address, _ = buffer.buffer_info()
    request = struct.pack("16sP16x", interface.encode(), address)
    fcntl.ioctl(control, _SIOCETHTOOL, request)
    result: int = struct.unpack("=II", buffer.tobytes())[1]
    return result


def disable_offloads(control: socket.socket, interface: str) -> None:
    """Turn the offloads of ``SEGMENTING`` off.

    Args:
        control: Any socket of the interface's namespace.
        interface: Its name.

    Raises:
        OSError: The driver refused.
    """
    for name in SEGMENTING:
        _call(control, interface, _COMMANDS[name][1], 0)


def active_offloads(control: socket.socket, interface: str) -> list[str]:
    """Return those of ``SEGMENTING`` that are on."""
    return [name for name in SEGMENTING if _call(control, interface, _COMMANDS[name][0], 0)]


def has_carrier(control: socket.socket, interface: str) -> bool:
    """Return whether the link has a carrier. The kernel now acts on a change of it, which else may take it a second."""
    return bool(_call(control, interface, _LINK, 0))
