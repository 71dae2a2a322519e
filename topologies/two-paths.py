"""Two servers behind two paths that part behind the access line, to tell where a limit is.

                             ┌─ [path1] ─ north ─ server1
    client ─ access ─ [tspu] ─ fork
                             └─ [path2] ─ south ─ server2

A box ``tspu`` on the common part limits both servers' flows; boxes ``path1`` and ``path2`` limit one of them each.
Whether two flows share a limit is what localisation asks (WeHeY, IMC 2023). A box acts if the scenario's ``censors``
name its kind.

    mn --custom topologies/two-paths.py --topo two-paths --link tc --controller none
"""

from __future__ import annotations

from typing import Any, ClassVar

from testbed.guest.network.lines import access_link, lines
from testbed.guest.network.topology import Parameter, ParameterError, RoutedTopo, delay, rate

SUBSCRIBERS = "100.64.0.0/10"  # RFC 6598
NETWORKS = ("198.51.100.0/24", "203.0.113.0/24")  # RFC 5737
PARTS = ("north", "south")

DEFAULT_LINES = [{"name": "home", "kind": "landline", "tspu": True}]


class TwoPaths(RoutedTopo):
    """See the module."""

    parameters: ClassVar[dict[str, Parameter]] = {
        "lines": lines(DEFAULT_LINES, ("down", "up", "delay", "queue", "loss")),
        "access_rate": rate("50 Mbit/s", "access rate of a line that says none, each way"),
        "access_delay": delay("5 ms", "one-way delay of the access link of a line that says none"),
        "delay1": delay("30 ms", "one-way delay of the path to server1"),
        "delay2": delay("30 ms", "one-way delay of the path to server2"),
        "rate1": rate("0 bit/s", "rate of the path to server1, each way; 0: no limit"),
        "rate2": rate("0 bit/s", "rate of the path to server2, each way; 0: no limit"),
    }

    def construct(self, **values: Any) -> None:
        """The line, the fork, and two paths."""
        if len(values["lines"]) != 1:
            raise ParameterError("lines", f"expected one line, whose paths part, got {len(values['lines'])}")
        [line] = values["lines"]
        name = line["name"]
        client, access, fork = self.add_client(name, line=name, network=SUBSCRIBERS), "access", "fork"
        self.add_router(access)
        self.add_router(fork)
        link = access_link(line, rate_bps=values["access_rate"], delay_s=values["access_delay"])
        self.connect(client, access, **link)
        near = access
        if line["tspu"]:
            near = self.add_box(f"{name}-tspu", line=name, kind="tspu")
            self.connect(access, near)
        self.connect(near, fork)
        for number, (part, network) in enumerate(zip(PARTS, NETWORKS, strict=True), start=1):
            box = self.add_box(f"{name}-path{number}", line=name, kind=f"path{number}")
            self.connect(fork, box)
            router, server = self.add_router(part), self.add_server(f"server{number}", network=network)
            self.connect(box, router, delay_s=values[f"delay{number}"])
            limit = values[f"rate{number}"]
            self.connect(router, server, delay_s=0.0005, up=limit, down=limit, queue=200)


topos = {"two-paths": TwoPaths}
