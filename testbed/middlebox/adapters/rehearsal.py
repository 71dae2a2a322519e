"""A box's code gone through once, with packets that nobody sent, before the first real one.

Code that has never run is slow: its pages are the parent's still, and Python has specialised nothing. Where time is
real, a connection's first packet would wait half a millisecond for that; in virtual time it costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.adapters.execution import Execution
from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.packet import ACK, SYN, Direction, Packet

if TYPE_CHECKING:
    from testbed.middlebox.meters.token_bucket import TokenBucketSpec
    from testbed.middlebox.packet import FlowKey
    from testbed.middlebox.profile import Profile

__all__ = ["rehearse"]

_FLOWS = 16  # Python specialises what it has run about eight times
_CLIENT, _SERVER = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 1])  # nobody's (RFC 5737)
_HTTPS = 443
_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(506)  # that names nobody


def rehearse(profile: Profile | None) -> None:
    """Let a box of this profile decide on a few flows; nothing of them is kept, or leaves it."""
    stage = _Stage()
    execution = Execution(profile, seed=0, kernel=stage, outlet=stage, log=lambda _: None)
    for port in range(_FLOWS):
        for direction, flags, payload in (
            (Direction.UP, SYN, b""), (Direction.DOWN, SYN | ACK, b""), (Direction.UP, ACK, _HELLO)
        ):  # fmt: skip
            packet = Packet.parse(_segment(direction, port, flags, payload), direction)
            execution.on_packet(stage, packet, 0, int)
            execution.next_ns()
        execution.write_log()


def _segment(direction: Direction, port: int, flags: int, payload: bytes) -> bytes:
    if direction is Direction.UP:
        return tcp_segment(src=_CLIENT, dst=_SERVER, sport=port, dport=_HTTPS, flags=flags, payload=payload)
    return tcp_segment(src=_SERVER, dst=_CLIENT, sport=_HTTPS, dport=port, flags=flags, payload=payload)


class _Stage:
    """Stands for the kernel, the wires and the queue: takes all, and does nothing."""

    def let_pass(self, flow: int, key: FlowKey, *, without_flags: int) -> None: ...

    def police(self, flow: int, key: FlowKey, spec: TokenBucketSpec, directions: frozenset[Direction]) -> None: ...

    def holds(self, _: int) -> bool:
        return False

    def polices(self, _: int) -> bool:
        return False

    def idle_s(self, _: int) -> float | None:
        return None

    def forget(self, flow: int) -> None: ...

    def queue_for(self, followed: list[tuple[Profile, frozenset[int]]]) -> None: ...

    def send(self, direction: Direction, data: bytes) -> None: ...

    def accept(self) -> None: ...

    def drop(self) -> None: ...

    def set_payload(self, data: bytes) -> None: ...
