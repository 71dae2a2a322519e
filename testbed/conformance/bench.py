"""A test bench for the pure box: an inspector, a clock, and one connection through it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Self

from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.events import Event, PacketDropped
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import ACK, FIN, PSH, RST, SYN, Direction, Packet

if TYPE_CHECKING:
    from testbed.middlebox.profile import Profile

__all__ = ["MSS", "NS_PER_S", "Bench", "Connection"]

MSS = 1460  # of IPv4
_LONGER_HEADER = 20  # that of IPv6, by so many bytes
NS_PER_S = 1_000_000_000


class Connection:
    """Both ends of a TCP connection: each method returns the next packet as the box sees it."""

    def __init__(
        self, inside: str = "10.0.0.1", outside: str = "192.0.2.1", *, inside_port: int = 40000, outside_port: int = 443
    ) -> None:
        self.ends = {
            Direction.UP: (ip_address(inside).packed, inside_port),
            Direction.DOWN: (ip_address(outside).packed, outside_port),
        }
        self.seq = {Direction.UP: 1000, Direction.DOWN: 5000}
        self.ip_id = 0
        self.mss = MSS - (_LONGER_HEADER if ":" in inside else 0)

    def packet(self, direction: Direction, flags: int = ACK, payload: bytes = b"", *, ttl: int = 64) -> Packet:
        """Send any packet; sequence numbers go on from the last one."""
        (src, sport), (dst, dport) = self.ends[direction], self.ends[direction.opposite]
        seq = self.seq[direction]
        self.seq[direction] = (seq + len(payload) + bool(flags & (SYN | FIN))) % 2**32
        self.ip_id = (self.ip_id + 1) % 2**16
        # The other end has acknowledged everything: nothing is ever lost before the box.
        ack = self.seq[direction.opposite] if flags & ACK else 0
        data = tcp_segment(
            src=src, dst=dst, sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, payload=payload, ttl=ttl,
            ip_id=self.ip_id,
        )  # fmt: skip
        return Packet.parse(data, direction)

    def handshake(self, opened_from: Direction = Direction.UP) -> list[Packet]:
        """SYN, SYN/ACK, ACK."""
        return [
            self.packet(opened_from, SYN),
            self.packet(opened_from.opposite, SYN | ACK),
            self.packet(opened_from, ACK),
        ]

    def up(self, payload: bytes) -> Packet:
        """Send data from inside."""
        return self.packet(Direction.UP, PSH | ACK, payload)

    def down(self, payload: bytes) -> Packet:
        """Send data from outside."""
        return self.packet(Direction.DOWN, PSH | ACK, payload)

    def fin(self, direction: Direction) -> Packet:
        """Send a FIN from either side."""
        return self.packet(direction, FIN | ACK)

    def rst(self, direction: Direction) -> Packet:
        """Send a RST from either side."""
        return self.packet(direction, RST)


class Bench:
    """A box that follows a profile, the time there, and the connection that `up` and `down` send on."""

    def __init__(self, profile: Profile, *, seed: int = 1, connection: Connection | None = None) -> None:
        self.inspector = Inspector(profile, seed=seed)
        self.connection = connection or Connection()
        self.now_ns = 0
        self.events: list[Event] = []

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += round(seconds * NS_PER_S)

    def send(self, *packets: Packet) -> list[Event]:
        """Send packets through the box, a millisecond apart."""
        events: list[Event] = []
        for packet in packets:
            # Much less than any refill, so that packets "at once" are at once for every meter.
            self.now_ns += NS_PER_S // 1000
            events += self.inspector.inspect(packet, self.now_ns)
        self.events += events
        return events

    def connect(self, opened_from: Direction = Direction.UP) -> Self:
        """Make the TCP handshake of the connection."""
        self.send(*self.connection.handshake(opened_from))
        return self

    def up(self, *payloads: bytes) -> Self:
        """Send data from inside."""
        self.send(*(self.connection.up(payload) for payload in payloads))
        return self

    def down(self, *payloads: bytes) -> Self:
        """Send data from outside."""
        self.send(*(self.connection.down(payload) for payload in payloads))
        return self

    def loses(self, direction: Direction = Direction.DOWN, *, packets: int = 40) -> int:
        """How many of so many full packets, sent at once, the box drops. 58 kB at once exceed every meter of 2021."""
        payload = bytes(MSS)
        data = [self.connection.packet(direction, ACK, payload) for _ in range(packets)]
        return sum(isinstance(event, PacketDropped) for event in self.send(*data))

    def throttles(self) -> bool:
        """Return whether the box holds back the flow in either direction."""
        # Both are asked, for a box that acts upwards alone holds back the flow too.
        return self.loses(Direction.DOWN) > 0 or self.loses(Direction.UP) > 0

    def of_type(self, cls: type[Event]) -> list[Event]:
        """Return the events of one kind so far."""
        return [event for event in self.events if isinstance(event, cls)]
