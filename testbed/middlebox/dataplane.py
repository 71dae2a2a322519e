"""The kernel's part of the box: what the inspector has decided stays in the kernel and never comes back to user space.

    packet ─► port ingress: flower filter of a decided flow? ─ yes ─► mark it, police it ─► bridge, past the queue
                              │ no                                        └ over the limit ─► drop port
                              └─► bridge ─► nft: queue to the inspector

One flower filter a flow and direction carries the decision: pass, or ``tc police`` with the profile's rate and burst.
Ingress is where tc counts the IP length alone. A packet over the limit is not dropped in silence: it is redirected to
a dummy link, the drop port, where the box reads it, so the log names every dropped packet and not only their number.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.errors import CertificateError
from testbed.middlebox.packet import Direction, FlowKey
from testbed.middlebox.shaper import ShaperSpec
from testbed.netlink import NetlinkSocket, link, tc

if TYPE_CHECKING:
    from testbed.middlebox.meters import TokenBucketSpec
    from testbed.middlebox.profile import Profile

__all__ = ["DROP_PORTS", "MARKS", "Dataplane", "live_obstacle"]

DROP_PORTS = {Direction.UP: "drop-up", Direction.DOWN: "drop-down"}
MARKS = {Direction.UP: 2, Direction.DOWN: 3}
_DECIDED = 1
_RULESET = """
table bridge box {{
  chain inspect {{
    type filter hook forward priority 0; policy accept;
    meta mark {decided} accept
    meta l4proto != tcp meta l4proto != udp accept
    iifname "{inside}" meta mark set {up} queue num 0
    iifname "{outside}" meta mark set {down} queue num 0
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class _Decision:
    """The filters of one decided flow."""

    key: FlowKey
    policed: bool


def live_obstacle(profile: Profile) -> str | None:
    """Why the live box cannot be this censor; None where it can.

    It passes packets and drops them. Packets that are held, delayed, rewritten or made anew exist in the pure box and
    in the capture adapter (``testbed inspect``) only. A profile that holds IP fragments is taken: the network makes
    none, and if a program does, the box ends the run.
    """
    if profile.action.kind not in {"throttle", "drop"}:
        return f"the live box cannot carry out the action {profile.action.kind!r}"
    if isinstance(profile.meter, ShaperSpec):
        return "the live box has no shaper"
    return None


class Dataplane:
    """Filters and rules on the two ports of a box. Used from inside the box's network namespace.

    Args:
        inside: name of the port that faces the subscriber.
        outside: name of the other one.
    """

    def __init__(self, inside: str, outside: str) -> None:
        self._kernel = NetlinkSocket()
        self._names = {Direction.UP: inside, Direction.DOWN: outside}
        self._decisions: dict[int, _Decision] = {}
        self._ports: dict[Direction, int] = {}
        self._drop_ports: dict[Direction, int] = {}

    def set_up(self) -> None:
        """Add the hooks, the drop ports and the queue.

        Raises:
            NetlinkError: the kernel refused a link or a discipline.
            CertificateError: nft refused the rules.
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
        rules = _RULESET.format(
            decided=_DECIDED,
            inside=self._names[Direction.UP],
            outside=self._names[Direction.DOWN],
            up=MARKS[Direction.UP],
            down=MARKS[Direction.DOWN],
        )
        result = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True, check=False)
        if result.returncode != 0:
            raise CertificateError(f"nft refused the box's rules: {result.stderr.strip()}")

    def let_pass(self, flow: int, key: FlowKey) -> None:
        """Keep a flow in the kernel and let it pass."""
        accept = [tc.skbedit_mark(_DECIDED, tc.TC_ACT_OK)]
        self._install(flow, key, dict.fromkeys(Direction, accept), policed=False)

    def police(self, flow: int, key: FlowKey, spec: TokenBucketSpec, directions: frozenset[Direction]) -> None:
        """Keep a flow in the kernel and police it; each direction has its own bucket.

        Raises:
            CertificateError: the kernel has another rate than was asked for.
        """
        rate = spec.rate_bps // 8
        ticks = spec.start(0).burst_ticks
        chains = {}
        for direction in Direction:
            if direction in directions:
                chains[direction] = [
                    tc.skbedit_mark(_DECIDED, tc.TC_ACT_PIPE),
                    tc.police(rate, ticks, exceed=tc.TC_ACT_PIPE, conform=tc.TC_ACT_OK),
                    tc.redirect(self._drop_ports[direction]),
                ]
            else:
                chains[direction] = [tc.skbedit_mark(_DECIDED, tc.TC_ACT_OK)]
        self._install(flow, key, chains, policed=True)
        for direction in directions:
            actual = self._filter(direction, flow)
            if actual is None or actual.rate != rate:
                raise CertificateError(
                    f"flow {flow}: tc police was asked for {rate} bytes per second, the kernel has {actual}"
                )

    def holds(self, flow: int) -> bool:
        """Whether a flow is in the kernel's hands."""
        return flow in self._decisions

    def idle_s(self, flow: int) -> float | None:
        """Seconds since the kernel last saw a packet of the flow, in steps of 10 ms; None if it saw none."""
        idle = [state.idle_s for direction in Direction if (state := self._filter(direction, flow)) is not None]
        return min((each for each in idle if each is not None), default=None)

    def forget(self, flow: int) -> None:
        """Remove a flow's filters; its next packet is queued like any stranger's."""
        decision = self._decisions.pop(flow, None)
        if decision is not None:
            self._kernel.send(
                tc.delete_flow_filter(self._ports[direction], flow, _match(decision.key, direction))
                for direction in Direction
            )

    def policed_drops(self) -> int:
        """How many packets the policers of the flows still held have sent to the drop ports."""
        return sum(
            state.drops for index in self._ports.values() for state in tc.flow_filters(self._kernel, index).values()
        )

    def _filter(self, direction: Direction, flow: int) -> tc.FilterState | None:
        return tc.flow_filters(self._kernel, self._ports[direction]).get(flow)

    def _install(
        self, flow: int, key: FlowKey, chains: dict[Direction, list[tuple[str, bytes]]], *, policed: bool
    ) -> None:
        self._kernel.send(
            tc.add_flow_filter(self._ports[direction], flow, _match(key, direction), chain)
            for direction, chain in chains.items()
        )
        self._decisions[flow] = _Decision(key, policed)


def _match(key: FlowKey, direction: Direction) -> tc.FlowMatch:
    inside, outside = (key.inside, key.inside_port), (key.outside, key.outside_port)
    source, destination = (inside, outside) if direction is Direction.UP else (outside, inside)
    return tc.FlowMatch(
        protocol=key.protocol,
        source=source[0],
        destination=destination[0],
        source_port=source[1],
        destination_port=destination[1],
    )
