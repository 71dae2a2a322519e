"""Mininet links and interfaces made through netlink, with the options and the disciplines of Mininet's TCLink.

Options an interface takes: ``ip`` ("10.0.0.1/30"), ``bw`` (Mbit/s), ``delay`` and ``jitter`` ("5ms"), ``loss``
(percent), ``max_queue_size`` (packets), ``mtu`` (bytes). Any other option of TCLink is refused: it would have no effect
here. The disciplines are TCLink's (HTB ``5:`` where there is a rate, netem ``10:`` below it), so both builders give one
network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mininet.link import Intf, Link

from testbed.errors import ScenarioError
from testbed.guest.network.impairment import Impairment
from testbed.netlink import ethtool, link, tc
from testbed.netlink.netem import Netem
from testbed.netlink.policer import add_policer
from testbed.quantities import parse_duration

if TYPE_CHECKING:
    from testbed.guest.network.node import NamespaceNode
    from testbed.netlink.socket import Request

DEFAULT_MTU = 1500
HTB_BURST_BYTES = 15 * 1024  # TCLink's "burst 15k"
DEFAULT_QUEUE_PACKETS = 1000  # netem's own default limit
_INTERNAL = {"moveIntfFn", "mtu", "port"}
_UNDER_WAY_PACKETS = 1_000_000


def planned_netem(
    delay: str | None, jitter: str | None, loss: float | None, queue: int | None, *,
    impairment: Impairment | None = None,
) -> Netem | None:  # fmt: skip
    """Return the netem discipline that an interface's options ask for; None where they ask for none."""
    if delay is None and jitter is None and loss is None and queue is None:
        return None
    more = impairment or Impairment()
    limit = DEFAULT_QUEUE_PACKETS if queue is None else queue
    return Netem(
        delay_ns=round(parse_duration(delay or 0) * 1e9),
        jitter_ns=round(parse_duration(jitter or 0) * 1e9),
        loss=(loss or 0.0) / 100,
        # Where a queue of its own stands behind it, netem holds what is under way, and must never be what is full.
        limit=limit if more.queue is None else _UNDER_WAY_PACKETS,
        burst=more.burst,
        duplicate=more.duplicate,
        reorder=more.reorder,
        keeps_order=more.keeps_order,
        seed=more.seed,
    )


class NetlinkIntf(Intf):  # type: ignore[misc]  # mininet has no types
    """One end of a link."""

    index: int

    def config(  # noqa: PLR0917 - Mininet's signature
        self,
        mac: str | None = None,
        ip: str | None = None,
        bw: float | None = None,
        delay: str | None = None,
        jitter: str | None = None,
        loss: float | None = None,
        max_queue_size: int | None = None,
        up: bool = True,  # noqa: FBT001, FBT002 - Mininet's
        impairment: Impairment | None = None,
        **options: object,
    ) -> dict[str, object]:
        """Address, disciplines, offloads off, up: one message to the kernel.

        Raises:
            ScenarioError: An option that this link cannot honour.
            NetlinkError: The kernel refused.
        """
        unknown = sorted(set(options) - _INTERNAL)
        if unknown:
            raise ScenarioError(
                f"{self.node.name}:{self.name}: link option {unknown[0]!r} would have no effect; remove it"
            )
        kernel = self.node.namespace.kernel
        # The kernel chose the number when the pair was made, and says it only when asked.
        self.index = link.links(kernel)[self.name].index
        ethtool.disable_offloads(self.node.namespace.control, self.name)
        requests = []
        if mac is not None:
            requests.append(link.set_link(self.index, mac=mac))
        if ip is not None:
            self.ip, prefix = ip.split("/")
            self.prefixLen = int(prefix)
            requests.append(link.add_address(self.index, self.ip, self.prefixLen))
        # Disciplines before the link is up: no packet leaves by the default one.
        requests += self._disciplines(
            bw, planned_netem(delay, jitter, loss, max_queue_size, impairment=impairment), impairment
        )
        if up:
            requests.append(link.set_link(self.index, up=True))
        kernel.send(requests)
        return {}

    def _disciplines(self, bw: float | None, netem: Netem | None, impairment: Impairment | None) -> list[Request]:
        requests: list[Request] = []
        # On a limited link netem is the leaf of HTB, as in Mininet: a packet is delayed first, and waits for its turn
        # then, so the buffer of netem is the link's.
        parent = tc.TC_H_ROOT
        if bw is not None:
            requests += tc.add_htb(self.index, round(bw * 1_000_000 / 8), HTB_BURST_BYTES)
            parent = tc.handle(5, 1)
        if netem is not None:
            requests.append(tc.add_netem(self.index, parent, netem))
            if impairment is not None and impairment.queue is not None:
                requests.append(tc.add_queue(self.index, tc.handle(0x10, 1), impairment.queue))
        if impairment is not None and impairment.policer is not None:
            requests += add_policer(self.index, impairment.policer)
        return requests

    def ifconfig(self, *args: str) -> str:
        """Mininet's ``up`` and ``down``."""
        if args in (("up",), ("down",)):
            self.node.namespace.kernel.send([link.set_link(self.index, up=args == ("up",))])
            return ""
        result: str = super().ifconfig(*args)
        return result


class NetlinkLink(Link):  # type: ignore[misc]
    """A veth pair, each end born in its node's namespace."""

    def __init__(self, node1: NamespaceNode, node2: NamespaceNode, **params: Any) -> None:
        self.mtu: int = params.get("mtu", DEFAULT_MTU)
        params["intf"] = NetlinkIntf  # Mininet passes its own default down
        super().__init__(node1, node2, **params)

    def makeIntfPair(  # noqa: N802, PLR0917 - Mininet's name and signature
        self,
        intfname1: str,
        intfname2: str,
        addr1: str | None = None,
        addr2: str | None = None,
        node1: Any = None,
        node2: Any = None,
        deleteIntfs: bool = True,  # noqa: FBT001, FBT002, N803, ARG002 - Mininet's
    ) -> None:
        """Make the pair; nothing of that name can be there, the namespaces are new."""
        node1.namespace.kernel.send(
            [
                link.add_veth(
                    link.End(intfname1, node1.namespace.fd, addr1),
                    link.End(intfname2, node2.namespace.fd, addr2),
                    mtu=self.mtu,
                )
            ]
        )
