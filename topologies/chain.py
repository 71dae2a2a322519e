"""A chain: a client, routers in a row with one box among them, two servers at its end. The plainest place for a probe.

client ─ r1 ─ … ─ rK ─ [tspu] ─ … ─ rN ─┬─ origin
└─ far (for replays, evasions and probes)

mn --custom topologies/chain.py --topo chain,hops=8 --link tc --controller none
"""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

from testbed.guest.network.lines import access_link, lines
from testbed.guest.network.topology import Parameter, ParameterError, RoutedTopo, count, delay, rate

SUBSCRIBERS = "100.64.0.0/10"  # RFC 6598
SERVERS = "198.51.100.0/24"  # RFC 5737
MOST_HOPS = 50  # a packet lives for 64

DEFAULT_LINES = [{"name": "home", "kind": "landline", "tspu": True}]


class Chain(RoutedTopo):
    """See the module."""

    parameters: ClassVar[dict[str, Parameter]] = {
        "lines": lines(DEFAULT_LINES, ("down", "up", "delay", "queue", "loss", "hops", "box_after_hop")),
        "hops": count(5, "routers between client and servers"),
        "box_after_hop": count(2, "the box stands after this hop"),
        "hop_delay": delay("5 ms", "one-way delay between routers"),
        "access_rate": rate("50 Mbit/s", "access rate of a line that says none, each way"),
        "access_delay": delay("5 ms", "one-way delay of the access link of a line that says none"),
    }

    def construct(self, **values: Any) -> None:
        """The line, its routers, its box, the servers."""
        if len(values["lines"]) != 1:
            raise ParameterError("lines", f"expected one line: a chain has one beginning, got {len(values['lines'])}")
        [line] = values["lines"]
        name = line["name"]
        count_, after = line.get("hops", values["hops"]), line.get("box_after_hop", values["box_after_hop"])
        if not 2 <= count_ <= MOST_HOPS:  # noqa: PLR2004 - a box stands between two
            raise _error(line, "hops", f"expected 2 to {MOST_HOPS}, got {count_}")
        if not 1 <= after < count_:
            raise _error(line, "box_after_hop", f"expected 1 to {count_ - 1} (one less than hops), got {after}")
        client = self.add_client(name, line=name, network=SUBSCRIBERS)
        routers = [self.add_router(f"r{hop}") for hop in range(1, count_ + 1)]
        link = access_link(line, rate_bps=values["access_rate"], delay_s=values["access_delay"])
        self.connect(client, routers[0], **link)
        for hop, (near, far) in enumerate(itertools.pairwise(routers), start=1):
            previous = near
            if line["tspu"] and hop == after:
                previous = self.add_box(f"{name}-tspu", line=name, kind="tspu")
                self.connect(near, previous)
            self.connect(previous, far, delay_s=values["hop_delay"])
        for server in ("origin", "far"):
            self.connect(routers[-1], self.add_server(server, network=SERVERS), delay_s=0.0005)


def _error(line: dict[str, Any], key: str, problem: str) -> ParameterError:
    """Return the error for a value that the line says itself, or else for the parameter that stands for it."""
    if key in line:
        return ParameterError("lines", f"line {line['name']}: {key}: {problem}")
    return ParameterError(key, problem)


topos = {"chain": Chain}
