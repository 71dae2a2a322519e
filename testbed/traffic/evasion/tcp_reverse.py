"""The hello in two TCP segments, the second one first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.conversation import Passage, Take
from testbed.traffic.hello import BROWSER_BYTES, client_hello
from testbed.traffic.options import option, whole

if TYPE_CHECKING:
    from testbed.traffic.conversation import Talk

__all__ = ["TcpReverse"]


@dataclass(frozen=True, slots=True)
class TcpReverse:
    """The first segment dies at the first hop; by the time the kernel sends it again, the box has seen the second."""

    at: int = option(5, whole(1, BROWSER_BYTES - 1), "bytes of the hello in the first segment")

    def passage(self, name: str) -> Passage:
        """Send the first segment so that it dies, then the second; the kernel repeats the first."""
        hello = client_hello(name)

        def send(talk: Talk) -> None:
            # The kernel repeats it after a retransmission time-out, a second at the most; the box has decided by then.
            talk.send_to_die(hello[: self.at])
            talk.send(hello[self.at :])

        return Passage(steps=(Take(len(hello)),), send=send)
