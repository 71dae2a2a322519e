"""The hello in several segments because the server's window is small: the one evasion that servers can bring about.

Linux announces no window below 1152 bytes and fills at most half of the largest window with one segment, so the hello
here is larger than a browser's of 2021, yet smaller than one packet.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.traffic.conversation import SMALL_WINDOW, Passage, Take
from testbed.traffic.hello import client_hello
from testbed.traffic.options import option, whole

__all__ = ["SmallWindow"]

_SEGMENT_BYTES = 576  # half of the window
_PACKET_BYTES = 1400


@dataclass(frozen=True, slots=True)
class SmallWindow:
    """An ordinary client of a server with a small window (IMC 2021, section 7)."""

    size: int = option(1200, whole(_SEGMENT_BYTES + 1, _PACKET_BYTES), "of the hello, bytes")

    def passage(self, name: str) -> Passage:
        """Send the hello to the port whose window is small, so that the kernel cuts it."""
        hello = client_hello(name, size=self.size)
        return Passage(steps=(Take(len(hello)),), send=lambda talk: talk.send(hello), port=SMALL_WINDOW)
