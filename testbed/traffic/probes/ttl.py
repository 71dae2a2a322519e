"""Between which hops the box stands (Xue et al., IMC 2021, section 6.4).

Open a connection, inject a hello with time-to-live n, transfer data: not held back at n = N, but held back at N + 1,
puts the box between hops N and N + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.conversation import Passage, Take
from testbed.traffic.hello import client_hello
from testbed.traffic.options import option, whole
from testbed.traffic.probes.path import hops
from testbed.traffic.probes.trials import REQUEST

if TYPE_CHECKING:
    from testbed.records.probes import TtlFound, TtlTried
    from testbed.traffic.conversation import Talk
    from testbed.traffic.probes.trials import Trials

__all__ = ["Ttl", "with_dying_hello"]


def with_dying_hello(name: str, ttl: int) -> Passage:
    """Return a connection into which a hello is injected that dies at hop ``ttl``; then a request that names nobody."""
    hello = client_hello(name)

    def send(talk: Talk) -> None:
        talk.emit(talk.segment(hello, ttl=ttl))
        talk.send(REQUEST)

    return Passage(steps=(Take(len(REQUEST)),), send=send)


@dataclass(frozen=True, slots=True)
class Ttl:
    """One hop after the other, nearest first, until the box is passed."""

    most: int = option(30, whole(1, 30), "the last hop to try; never beyond the last router before the far end")

    def run(self, trials: Trials) -> TtlFound:
        """Let a hello die at one hop after the other. ``after_hop`` is N; None: no dying hello had an effect."""
        routers = hops(trials.near.far)
        tried: list[TtlTried] = []
        after_hop = None
        for ttl in range(1, min(self.most, len(routers)) + 1):
            held_back = trials.held_back(with_dying_hello(trials.name, ttl))
            tried.append({"ttl": ttl, "router": routers[ttl - 1], "held_back": held_back})
            if held_back:
                after_hop = ttl - 1
                break
        return {"routers": routers, "tried": tried, "after_hop": after_hop}
