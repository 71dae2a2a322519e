"""Hellos that the box looked for and did not find: why, so that the log can say it.

Reads more than the box does, and decides nothing: what is found here changes no packet's fate. A hello that a censor
overlooks is not one that was spared: today's browsers send hellos of two packets, which a box of 2021 never finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testbed.middlebox.events import HelloUnread
from testbed.middlebox.packet import Direction
from testbed.middlebox.recognise import Hello, Outcome, Result, http, quic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testbed.middlebox.packet import Packet

__all__ = ["Overlooked", "Why", "why_unread"]

_HANDSHAKE, _CLIENT_HELLO, _MAJOR_VERSION = 22, 1, 3
_CONTENT_TYPES = range(20, 25)
_RECORD_HEADER, _HANDSHAKE_HEADER = 5, 4
_PORTS = {"tls": 443, "http": 80, "quic": 443, "quic_version1": 443}

NOT_RECOGNISED = "not recognised"


class Why(NamedTuple):
    """Why a hello was not found. ``size``: its bytes by its own header, None where that is not known."""

    protocol: str | None
    reason: str
    size: int | None


def why_unread(protocols: Iterable[str], data: bytes, result: Result) -> Why | None:
    """Return why there is no name, if a hello begins here; None if none does, or its name was read.

    Args:
        protocols: Recognisers whose hellos the box looks for.
        data: What they were given.
        result: What came of it.
    """
    if isinstance(result, Hello):
        return Why(result.protocol, "no name", None) if result.name is None else None
    for protocol in protocols:
        look = _LOOKS.get(protocol)
        found = None if look is None else look(data, result)
        if found is not None:
            return found
    return None


def _tls(data: bytes, _: Result) -> Why | None:
    # The box looks at the first record of a packet alone (X21 §6.2), so a hello behind another one is not found.
    if not _begins_hello(data):
        return Why("tls", "behind another record", None) if _begins_hello(data[_record_end(data) :]) else None
    if len(data) < _RECORD_HEADER + _HANDSHAKE_HEADER:
        return Why("tls", "spans packets", _record_end(data) or None)
    record = _record_end(data)
    if _RECORD_HEADER + _HANDSHAKE_HEADER + int.from_bytes(data[6:9], "big") > record:
        return Why("tls", "spans records", None)
    return Why("tls", "spans packets", record) if len(data) < record else Why("tls", "malformed", record)


def _begins_hello(data: bytes) -> bool:
    """Return whether this fits the beginning of a ClientHello, as far as it goes."""
    fits = (data[0:1], _HANDSHAKE), (data[1:2], _MAJOR_VERSION), (data[5:6], _CLIENT_HELLO)
    return bool(data) and all(not byte or byte[0] == expected for byte, expected in fits)


def _record_end(data: bytes) -> int:
    """Return where the first record ends by its length, 0 if that is not here or it is no record."""
    is_record = len(data) >= _RECORD_HEADER and data[0] in _CONTENT_TYPES and data[1] == _MAJOR_VERSION
    return _RECORD_HEADER + int.from_bytes(data[3:5], "big") if is_record else 0


def _http(data: bytes, _: Result) -> Why | None:
    return Why("http", "spans packets", None) if data and http.recognise(data) is Outcome.NEED_MORE else None


def _quic(data: bytes, result: Result) -> Why | None:
    version = quic.initial_version(data)
    if version is None:
        return None
    if result is Outcome.NEED_MORE:
        return Why("quic", "spans packets", None)
    return Why("quic", "malformed" if version in quic.VERSIONS else "unknown version", None)


def _quic_version1(data: bytes, result: Result) -> Why | None:
    version = quic.initial_version(data)
    if version is None or result is Outcome.VALID:
        return None
    return Why("quic", "too short" if version == 1 else "unknown version", None)


_LOOKS: dict[str, Callable[[bytes, Result], Why | None]] = {
    "tls": _tls,
    "http": _http,
    "quic": _quic,
    "quic_version1": _quic_version1,
}


class Overlooked:
    """What one flow under inspection has shown of a hello that was not found.

    Args:
        protocols: Recognisers whose hellos the box looks for.
        server_port: Where the flow goes; at a protocol's own port a hello is expected.
    """

    __slots__ = ("_bytes", "_direction", "_expected", "_named", "_packets", "_protocols", "_why")

    def __init__(self, protocols: tuple[str, ...], server_port: int) -> None:
        self._protocols = protocols
        self._expected = next((each for each in protocols if _PORTS.get(each) == server_port), None)
        self._why: Why | None = None
        self._direction: Direction | None = None
        self._packets = self._bytes = 0
        self._named = False

    def note(self, packet: Packet, data: bytes, result: Result) -> None:
        """A payload that the box has read, in a direction in which it looks for hellos."""
        # A name that was read but matched no rule is no hello that was missed.
        if isinstance(result, Hello) and result.name is not None:
            self._named = True
            return
        if self._goes_on(packet):
            self._packets += 1
            self._bytes += len(packet.payload)
        why = why_unread(self._protocols, data, result)
        # At a port where a hello is expected, anything else from the client may be one, in a form unknown here.
        may_be_one = packet.direction is Direction.UP and result is not Outcome.VALID
        if why is None and may_be_one and self._expected is not None:
            why = Why(None, NOT_RECOGNISED, None)
        # The first sign counts, but for the vaguest: what is seen later may explain it.
        if why is not None and (self._why is None or self._why.reason == NOT_RECOGNISED):
            self._begin(packet, why)
        elif why is not None and why.size is not None and self._direction is packet.direction:
            self._why = why  # a stream has been put together further

    def note_fragment(self, packet: Packet) -> None:
        """The first fragment of a datagram that the box does not read."""
        if self._why is None and why_unread(self._protocols, packet.payload, Outcome.NOT_THIS) is not None:
            self._begin(packet, Why(None, "in IP fragments", None))

    def event(self, flow: int, t_ns: int) -> HelloUnread | None:
        """Return what to tell when the box gives up; None where there was no hello, or one was read."""
        if self._why is None or self._named or self._direction is None:
            return None
        return HelloUnread(
            t_ns=t_ns,
            flow=flow,
            protocol=self._why.protocol,
            reason=self._why.reason,
            direction=self._direction,
            packets=self._packets,
            bytes=self._bytes,
            size=self._why.size,
        )

    def _begin(self, packet: Packet, why: Why) -> None:
        self._why, self._direction = why, packet.direction
        self._packets, self._bytes = 1, len(packet.payload)

    def _goes_on(self, packet: Packet) -> bool:
        """Return whether the hello is not over yet, by what is known of its size."""
        size = None if self._why is None else self._why.size
        return size is not None and packet.direction is self._direction and self._bytes < size
