"""From the packets of a flow to what they say: packet by packet, as a stream, or as datagrams that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from testbed.middlebox.packet import SYN, TCP, UDP, Direction, Packet
from testbed.middlebox.recognise import TCP_RECOGNISERS, UDP_RECOGNISERS, Hello, Outcome, Recogniser, Result, tls
from testbed.middlebox.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.middlebox.profile import Profile

__all__ = ["DatagramReader", "Named", "OrderedReader", "PacketReader", "Reader", "Readers", "Reading", "StreamReader"]

Named = tuple[str, Recogniser]
"""A recogniser and its name in profiles."""

_RECORD_HEADER = 5
_SEQUENCE_SPACE, _HALF = 1 << 32, 1 << 31
_STREAM_LIMIT = 1 << 14  # a hello of a browser has 2 kB at most; one of 16 kB is none


class Reading(NamedTuple):
    """What was read, by which recogniser (empty where none knew it), and from which bytes.

    ``also`` are those after it that know the same datagram: a box may have a layer for versions and one for names.
    """

    protocol: str
    result: Result
    data: bytes
    also: tuple[str, ...] = ()


class Reader(Protocol):
    """What a flow under inspection reads with."""

    def syn(self, packet: Packet) -> None:
        """A packet with SYN: it says where the stream begins."""
        ...

    def read(self, packet: Packet) -> Reading:
        """Return a packet with payload."""
        ...


class PacketReader:
    """Each packet stands alone: half a message is unknown, as the boxes of 2021 had it. Keeps nothing."""

    __slots__ = ("_recognisers",)

    def __init__(self, recognisers: Sequence[Named]) -> None:
        """Try these recognisers in order."""
        self._recognisers = recognisers

    def syn(self, packet: Packet) -> None:
        """Keep nothing of it: without a stream, it does not matter where one begins."""

    def read(self, packet: Packet) -> Reading:
        """Return what this packet is by itself."""
        for name, recognise in self._recognisers:
            result = recognise(packet.payload)
            if result is not Outcome.NOT_THIS and result is not Outcome.NEED_MORE:
                return Reading(name, result, packet.payload)
        return Reading("", Outcome.NOT_THIS, packet.payload)


class OrderedReader:
    """Segments of a TLS record are put together as they come, in each direction (N4P382, ZAPRET1408: boxes of 2024).

    The first must show by itself that TLS begins: a record's header, and what goes on in the next segment. One that
    comes out of its order ends it: then, and where nothing is put together, each packet stands alone.
    """

    __slots__ = ("_begun", "_packet_reader")

    def __init__(self, packet_reader: PacketReader) -> None:
        """Read with the recognisers of ``packet_reader``."""
        self._packet_reader = packet_reader
        self._begun: dict[Direction, tuple[bytes, int]] = {}  # what is there, and the number of the byte after it

    def syn(self, packet: Packet) -> None:
        """A SYN says nothing here: a record begins where it begins."""

    def read(self, packet: Packet) -> Reading:
        """Return what the record is that begins or goes on here, or the packet by itself."""
        # A SYN takes a sequence number itself, and may carry data behind it (RFC 9293, section 3.4; RFC 7413).
        seq = (packet.seq + bool(packet.flags & SYN)) % _SEQUENCE_SPACE
        data, expected = self._begun.get(packet.direction, (b"", seq))
        # Sequence numbers go round: of two, the later is the one that is less than half of them ahead.
        ahead = (seq - expected + _HALF) % _SEQUENCE_SPACE - _HALF
        if data and ahead < 0:
            return Reading("", Outcome.NEED_MORE, data)  # sent again
        if ahead > 0:
            data = b""
        data += packet.payload
        if _begins_record(data) and len(data) < _STREAM_LIMIT:
            self._begun[packet.direction] = data, (seq + len(packet.payload)) % _SEQUENCE_SPACE
            return Reading("", Outcome.NEED_MORE, data)
        self._begun.pop(packet.direction, None)
        return self._packet_reader.read(packet._replace(payload=data))


def _begins_record(data: bytes) -> bool:
    """Return whether this is the beginning of a TLS record, its header at least, of which the rest is not here."""
    return len(data) >= _RECORD_HEADER and tls.recognise(data) is Outcome.NEED_MORE


class StreamReader:
    """Segments are put together in each direction; optionally TLS records too."""

    __slots__ = ("_joins_records", "_recognisers", "_streams")

    def __init__(self, recognisers: Sequence[Named], *, joins_records: bool) -> None:
        """Try these recognisers in order."""
        self._recognisers = recognisers
        self._joins_records = joins_records
        self._streams = {direction: Stream(_STREAM_LIMIT) for direction in Direction}

    def syn(self, packet: Packet) -> None:
        """The stream begins after the SYN."""
        self._streams[packet.direction].start(packet.seq + 1)

    def read(self, packet: Packet) -> Reading:
        """Return what the stream is, from its beginning or from the end of what was recognised before."""
        stream = self._streams[packet.direction]
        stream.add(packet.seq + bool(packet.flags & SYN), packet.payload)
        reading = self._recognise(tls.join_records(stream.data) if self._joins_records else stream.data)
        if isinstance(reading.result, Hello) or reading.result is Outcome.VALID:
            # What follows is looked at as if it stood first: X21 §6.2 found the hello behind a valid record.
            stream.restart()
        elif len(stream.data) >= _STREAM_LIMIT:
            # A record may claim 16 kB and never come: waiting for it would let any client fill the box's memory.
            return reading._replace(protocol="", result=Outcome.NOT_THIS)
        return reading

    def _recognise(self, data: bytes) -> Reading:
        if not data:
            return Reading("", Outcome.NEED_MORE, data)
        outcome = Outcome.NOT_THIS
        for name, recognise in self._recognisers:
            result = recognise(data)
            if result is Outcome.NEED_MORE or (self._joins_records and _is_begun_handshake(data, result)):
                outcome = Outcome.NEED_MORE
            elif result is not Outcome.NOT_THIS:
                return Reading(name, result, data)
        return Reading("", outcome, data)


def _is_begun_handshake(data: bytes, result: Result) -> bool:
    """Return whether a whole record holds only the beginning of a handshake message."""
    return result is Outcome.VALID and data[0] == tls.HANDSHAKE and not tls.holds_whole_message(data)


class DatagramReader:
    """UDP: the client's datagrams go to recognisers that keep what they need; the server's are taken for answers."""

    __slots__ = ("_recognisers",)

    def __init__(self, recognisers: Sequence[Named]) -> None:
        """Try these recognisers, made for this flow, in order."""
        self._recognisers = recognisers

    def syn(self, packet: Packet) -> None:
        """Keep nothing of it: UDP has no SYN."""

    def read(self, packet: Packet) -> Reading:
        """Return what the datagram is, with those before it."""
        if packet.direction is Direction.DOWN:
            # Only the client's Initials can be read with keys that follow from what is in them (RFC 9001, section 5.2).
            return Reading("", Outcome.VALID, packet.payload)
        results = [(name, recognise(packet.payload)) for name, recognise in self._recognisers]
        known = [each for each in results if each[1] not in {Outcome.NOT_THIS, Outcome.NEED_MORE}]
        if known:
            (name, result), *others = known
            return Reading(name, result, packet.payload, tuple(other for other, _ in others))
        is_begun = any(result is Outcome.NEED_MORE for _, result in results)
        return Reading("", Outcome.NEED_MORE if is_begun else Outcome.NOT_THIS, packet.payload)


class Readers:
    """Makes the reader of each flow, as a profile says how closely the box reads.

    Attributes:
        protocols: IP protocols that the box follows: those it has recognisers for; both for rules that read nothing.
    """

    __slots__ = ("_packet_reader", "_profile", "protocols")

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        # One for all flows: it keeps nothing.
        self._packet_reader = PacketReader(self._tcp_recognisers())
        recognisers = set(profile.trigger.recognisers)
        known = ((TCP, TCP_RECOGNISERS), (UDP, UDP_RECOGNISERS))
        self.protocols = frozenset(protocol for protocol, names in known if not recognisers or recognisers & set(names))

    def start(self, protocol: int) -> Reader:
        """Return the reader of a new flow."""
        if protocol == UDP:
            names = [name for name in self._profile.trigger.recognisers if name in UDP_RECOGNISERS]
            return DatagramReader([(name, UDP_RECOGNISERS[name]()) for name in names])
        reassembly = self._profile.inspection.reassembly
        if reassembly == "none":
            return self._packet_reader
        if reassembly == "in_order":
            return OrderedReader(self._packet_reader)
        return StreamReader(self._tcp_recognisers(), joins_records=reassembly == "records")

    def _tcp_recognisers(self) -> list[Named]:
        """In the profile's order, which is that of trial."""
        return [(name, TCP_RECOGNISERS[name]) for name in self._profile.trigger.recognisers if name in TCP_RECOGNISERS]
