"""The hello in IP fragments (Censored Planet, TSPU, 2022).

The kernel sends the hello with a time-to-live of 1, so that it dies at the first hop, and the same segment goes out in
fragments that we make. The far end acknowledges those, before the kernel would send again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.craft import fragments
from testbed.traffic.conversation import Passage, Take
from testbed.traffic.hello import BROWSER_BYTES, client_hello
from testbed.traffic.options import option, whole

if TYPE_CHECKING:
    from testbed.traffic.conversation import Talk

__all__ = ["IpFragments"]

_UNIT = 8  # offsets count in these
_IDENTIFICATION = 0x7C0D


@dataclass(frozen=True, slots=True)
class IpFragments:
    """Fragments of IP, in order; over IPv6 with a fragment header each."""

    size: int = option(
        256, whole(_UNIT, BROWSER_BYTES), "bytes of the datagram's body in a fragment, rounded down to 8"
    )

    def passage(self, name: str) -> Passage:
        """Send the hello so that it dies, then the same segment in fragments."""
        hello = client_hello(name)

        def send(talk: Talk) -> None:
            whole_segment = talk.segment(hello)  # before the kernel sends: afterwards it would be the next segment
            talk.send_to_die(hello)
            talk.emit(*fragments(whole_segment, self.size, ip_id=_IDENTIFICATION))

        return Passage(steps=(Take(len(hello)),), send=send)
