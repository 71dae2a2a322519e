"""The kernel's part of the box: what the inspector has decided stays in the kernel and never comes back to user space.

    packet ─► port ingress: flower filter of a decided flow? ─ yes ─► mark it, police it ─► bridge, past the queue
                              │ no                                        └ over the limit ─► drop port
                              └─► bridge ─► rules: queue to the inspector

One flower filter a flow and direction carries the decision: pass, or ``tc police`` with the profile's rate and burst.
Ingress is where tc counts the IP length alone. A packet over the limit is not dropped in silence: it is redirected to
a dummy link, the drop port, where the box reads it, so the log names every dropped packet and not only their number.

Flower sees no ports in IP fragments: those of a decided flow are queued all the same, and one that begins a datagram of
a policed flow is metered by the inspector's bucket instead of the kernel's (`fragments: pass` only).

Shapers are not here. Linux has them at egress (tbf, HTB), but they drop in silence and tell no packet's delay; the box
keeps a shaped packet in its queue until the model's departure instead. `meters.shaper` says how far the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.errors import CertificateError
from testbed.middlebox.adapters.ruleset import CHAIN, DECIDED, rules
from testbed.middlebox.meters.kernel_rate import kernel_rate
from testbed.middlebox.packet import Direction, FlowKey
from testbed.netlink import NetlinkSocket, link, tc
from testbed.netlink.nftables import load_rules

if TYPE_CHECKING:
    from testbed.middlebox.meters.token_bucket import TokenBucketSpec
    from testbed.middlebox.profile import Profile

__all__ = ["DROP_PORTS", "Dataplane"]

DROP_PORTS = {Direction.UP: "drop-up", Direction.DOWN: "drop-down"}


@dataclass(frozen=True, slots=True)
class _Decision:
    """The filters of one decided flow, in the directions that its box saw then."""

    key: FlowKey
    sees: tuple[Direction, ...]
    policed: bool
    without_flags: int = 0


class Dataplane:
    """Filters and rules on the two ports of a box. Used from inside the box's network namespace.

    Args:
        ports: By direction, the name of the port where packets come in.
    """

    def __init__(self, ports: dict[Direction, str]) -> None:
        self._kernel = NetlinkSocket()
        self._names = ports
        self._sees: tuple[Direction, ...] = ()
        self._decisions: dict[int, _Decision] = {}
        self._ports: dict[Direction, int] = {}
        self._drop_ports: dict[Direction, int] = {}

    def set_up(self, followed: list[tuple[Profile, frozenset[int]]]) -> None:
        """Add the hooks, the drop ports and the rules.

        Args:
            followed: The censors at first, each with the IP protocols that it follows.

        Raises:
            NetlinkError: The kernel refused a link, a discipline or a rule.
        """
        self._kernel.send([link.add_link(name, "dummy") for name in DROP_PORTS.values()])
        state = link.links(self._kernel)
        for direction, name in self._names.items():
            self._ports[direction] = state[name].index
            self._drop_ports[direction] = state[DROP_PORTS[direction]].index
        self._kernel.send(
            [link.set_link(index, up=True) for index in self._drop_ports.values()]
            + [tc.add_clsact(index) for index in self._ports.values()]
        )
        # Last: from now on packets go to the queue, and those over a limit to the drop ports.
        load_rules(CHAIN, rules(followed, self._names))
        self._see(followed)

    def queue_for(self, followed: list[tuple[Profile, frozenset[int]]]) -> None:
        """Queue from now on what these look at; decided flows stay decided.

        Raises:
            NetlinkError: The kernel refused one.
        """
        load_rules(CHAIN, rules(followed, self._names), replacing=True)
        self._see(followed)

    def _see(self, followed: list[tuple[Profile, frozenset[int]]]) -> None:
        # The last one is the one that decides about flows from now on.
        sees = followed[-1][0].placement.sees if followed else frozenset()
        self._sees = tuple(direction for direction in self._names if direction in sees)

    def let_pass(self, flow: int, key: FlowKey, *, without_flags: int) -> None:
        """Keep a flow in the kernel and let it pass; TCP packets that have one of the flags are queued still."""
        chain = [tc.skbedit_mark(DECIDED, tc.TC_ACT_OK)]
        decision = _Decision(key, self._sees, policed=False, without_flags=without_flags)
        self._install(flow, decision, dict.fromkeys(self._sees, chain))

    def police(self, flow: int, key: FlowKey, spec: TokenBucketSpec, directions: frozenset[Direction]) -> None:
        """Keep a flow in the kernel and police it; each direction has its own bucket.

        Raises:
            CertificateError: The kernel has another rate than was asked for.
        """
        rate = spec.rate_bps // 8
        # The kernel is told the burst in its own ticks: told in bytes it would round otherwise than the model does.
        ticks = kernel_rate(spec.rate_bps, spec.burst_bytes).burst_ticks
        chains = {}
        for direction in self._sees:
            if direction in directions:
                chains[direction] = [
                    tc.skbedit_mark(DECIDED, tc.TC_ACT_PIPE),
                    tc.police(rate, ticks, exceed=tc.TC_ACT_PIPE, conform=tc.TC_ACT_OK),
                    tc.redirect(self._drop_ports[direction]),
                ]
            else:
                chains[direction] = [tc.skbedit_mark(DECIDED, tc.TC_ACT_OK)]
        self._install(flow, _Decision(key, self._sees, policed=True), chains)
        # Read back: a limit that the kernel rounded, or took for none, would be a wrong result and no error.
        for direction in directions:
            actual = self._filter(flow, direction)
            if actual is None or actual.rate != rate:
                raise CertificateError(
                    f"flow {flow}: tc police was asked for {rate} bytes per second, the kernel has {actual}"
                )

    def holds(self, flow: int) -> bool:
        """Return whether a flow is in the kernel's hands."""
        return flow in self._decisions

    def polices(self, flow: int) -> bool:
        """Return whether the kernel meters a flow."""
        return flow in self._decisions and self._decisions[flow].policed

    def idle_s(self, flow: int) -> float | None:
        """Return seconds since the kernel last saw a packet of the flow, in steps of 10 ms; None if it saw none."""
        sees = self._decisions[flow].sees
        idle = [state.idle_s for direction in sees if (state := self._filter(flow, direction)) is not None]
        return min((each for each in idle if each is not None), default=None)

    def forget(self, flow: int) -> None:
        """Remove a flow's filters; its next packet is queued like any stranger's."""
        # Most flows are forgotten without ever having been left to the kernel.
        decision = self._decisions.pop(flow, None)
        if decision is not None:
            self._kernel.send(
                tc.delete_flow_filter(self._ports[direction], flow, _match(decision, direction))
                for direction in decision.sees
            )

    def _filter(self, flow: int, direction: Direction) -> tc.FilterState | None:
        return tc.flow_filter(self._kernel, self._ports[direction], flow, _match(self._decisions[flow], direction))

    def _install(self, flow: int, decision: _Decision, chains: dict[Direction, list[tuple[str, bytes]]]) -> None:
        self._kernel.send(
            tc.add_flow_filter(self._ports[direction], flow, _match(decision, direction), chain)
            for direction, chain in chains.items()
        )
        self._decisions[flow] = decision


def _match(decision: _Decision, direction: Direction) -> tc.FlowMatch:
    key = decision.key
    inside, outside = (key.inside, key.inside_port), (key.outside, key.outside_port)
    source, destination = (inside, outside) if direction is Direction.UP else (outside, inside)
    return tc.FlowMatch(
        protocol=key.protocol,
        source=source[0],
        destination=destination[0],
        source_port=source[1],
        destination_port=destination[1],
        without_flags=decision.without_flags,
    )
