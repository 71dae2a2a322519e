"""A dumbbell: lines on the left, servers on the right, one bottleneck between them.

    client ─ access ─ [box] ─┐                    ┌─ server1
    client ─ access ─ [box] ─┼─ left ═════ right ─┼─ server2
                             ┘  (bottleneck)      └─ …

What congests here congests everybody: the confounder of every paired test. A box stands behind the first router of each
line that has one. With ``server_routers: 1`` a router stands before each server: what happens to the link behind it
happens to this server alone, and where no capture at the server sees it.

    mn --custom topologies/dumbbell.py --topo dumbbell --link tc --controller none
"""

from __future__ import annotations

from typing import Any, ClassVar

from testbed.guest.network.lines import access_link, lines
from testbed.guest.network.topology import Parameter, ParameterError, RoutedTopo, count, delay, rate, share

SUBSCRIBERS = "100.64.0.0/10"  # RFC 6598
SERVERS = "198.51.100.0/24"  # RFC 5737
MOST_SERVERS = 50

DEFAULT_LINES = [{"name": "a", "kind": "landline", "tspu": True}, {"name": "b", "kind": "landline", "tspu": False}]


class Dumbbell(RoutedTopo):
    """See the module."""

    parameters: ClassVar[dict[str, Parameter]] = {
        "lines": lines(DEFAULT_LINES, ("down", "up", "delay", "queue", "loss")),
        "servers": count(2, "how many servers there are: server1, server2, …"),
        "access_rate": rate("100 Mbit/s", "access rate of a line that says none, each way"),
        "access_delay": delay("2 ms", "one-way delay of the access link of a line that says none"),
        "bottleneck_rate": rate("20 Mbit/s", "rate of the link that all share, each way"),
        "bottleneck_delay": delay("20 ms", "one-way delay of the link that all share"),
        "bottleneck_queue": count(100, "buffer at the bottleneck, each way, in packets"),
        "bottleneck_loss": share("0 %", "share of packets that the bottleneck loses, each way"),
        "server_delay": delay("0.5 ms", "one-way delay of each server's link"),
        "server_routers": count(
            0, "1: each server has a router of its own, server1-gateway, so that its path has a link"
        ),
    }

    def construct(self, **values: Any) -> None:
        """Lines, bottleneck, servers."""
        if not 1 <= values["servers"] <= MOST_SERVERS:
            raise ParameterError("servers", f"expected 1 to {MOST_SERVERS}, got {values['servers']}")
        if values["server_routers"] not in {0, 1}:
            raise ParameterError("server_routers", f"expected 0 or 1, got {values['server_routers']}")
        left, right = self.add_router("left"), self.add_router("right")
        for line in values["lines"]:
            self._add_line(line, left, values)
        both_ways = {"up": values["bottleneck_rate"], "down": values["bottleneck_rate"]}
        self.connect(
            left, right, delay_s=values["bottleneck_delay"], queue=values["bottleneck_queue"],
            loss=values["bottleneck_loss"], **both_ways,
        )  # fmt: skip
        for number in range(1, values["servers"] + 1):
            server = self.add_server(f"server{number}", network=SERVERS)
            near = right
            if values["server_routers"]:
                near = self.add_router(f"{server}-gateway")
                self.connect(right, near)
            self.connect(near, server, delay_s=values["server_delay"])

    def _add_line(self, line: dict[str, Any], left: str, values: dict[str, Any]) -> None:
        name = line["name"]
        client = self.add_client(name, line=name, network=SUBSCRIBERS)
        access = self.add_router(f"{name}-access")
        link = access_link(line, rate_bps=values["access_rate"], delay_s=values["access_delay"])
        self.connect(client, access, **link)
        near = access
        if line["tspu"]:
            near = self.add_box(f"{name}-tspu", line=name, kind="tspu")
            self.connect(access, near)
        self.connect(near, left)


topos = {"dumbbell": Dumbbell}
