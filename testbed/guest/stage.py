"""What all parts of the agent know once the network stands: the plan, the network, two folders and the run's time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.guest.on_demand import ipv6_of

if TYPE_CHECKING:
    from pathlib import Path

    from mininet.net import Mininet

    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.plan import GuestPlan

__all__ = ["IPV4", "IPV6", "Stage", "seconds_since"]

_NS_PER_S = 1e9
IPV4, IPV6 = 4, 6


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage that a run is played on.

    Attributes:
        plan: What is to be run.
        network: The network, built.
        topology: What it was built from.
        output: The folder that the host takes over: the run directory as the guest sees it.
        work: A folder in the guest's memory.
    """

    plan: GuestPlan
    network: Mininet
    topology: RoutedTopo
    output: Path
    work: Path

    @property
    def start_ns(self) -> int:
        """The instant that is t = 0, nanoseconds since 1970."""
        return self.plan["start_ns"]

    @property
    def is_contained(self) -> bool:
        """Whether the kernel is the machine's own, and this a guest in namespaces of it."""
        return "is_machines" in self.plan["clock"]

    @property
    def has_ipv6(self) -> bool:
        """Whether the network has IPv6 beside IPv4."""
        return "names6" in self.plan

    def address_of(self, leaf: str, ip: int = 4) -> str:
        """Return the IPv4 or the IPv6 address of a client or server."""
        address = self.topology.address_of(leaf)
        if ip == IPV4:
            return address
        return ipv6_of(address)

    def now_s(self) -> float:
        """Return seconds since the start of the run."""
        return seconds_since(self.start_ns)


def seconds_since(start_ns: int) -> float:
    """Seconds since an instant. In virtual time a look at the clock moves it on by 256 ns: look no more than needed."""
    return (time.time_ns() - start_ns) / _NS_PER_S
