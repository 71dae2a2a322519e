"""The hello in two TCP segments (IMC 2021, section 7)."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.traffic.browser_hello import HELLOS, browser_hello
from testbed.traffic.conversation import Passage, Take
from testbed.traffic.hello import BROWSER_BYTES
from testbed.traffic.options import choice, option, whole

__all__ = ["TcpSplit"]


@dataclass(frozen=True, slots=True)
class TcpSplit:
    """Two segments, in order, sent with TCP_NODELAY."""

    at: int = option(5, whole(1, BROWSER_BYTES - 1), "bytes of the hello in the first segment")
    hello: str = option("2021", choice(*HELLOS), "whose it is; what is left of a long one takes more segments")

    def passage(self, name: str) -> Passage:
        """Send the hello in two calls: with TCP_NODELAY each leaves in a segment of its own."""
        hello = browser_hello(name, self.hello)
        return Passage(steps=(Take(len(hello)),), send=lambda talk: talk.send(hello[: self.at], hello[self.at :]))
