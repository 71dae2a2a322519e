"""A packet for the box alone, before the hello: it passes the box and never reaches the application behind it.

By a low time-to-live (IMC 2021, section 7), a wrong checksum, a sequence number that the far end has long had, or a
signature that nobody agreed on. More than 100 bytes that are no protocol make the box give up on the flow; a fake hello
for another name does not, since the box looks at 3 to 15 more packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.conversation import Passage, Take
from testbed.traffic.hello import client_hello, reproducible
from testbed.traffic.options import SERVER_NAME, option, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.traffic.conversation import Talk

__all__ = ["FakeHello", "FakeRandom", "Md5Option", "WrongChecksum", "WrongSequence", "low_ttl", "noise", "spoiled"]

_BEHIND_THE_BOX = 6  # it stood within the first five hops: IMC 2021, section 6.4
_LONG_AGO = 100_000
# TCP's MD5 signature: kind 19, 18 bytes (RFC 2385, section 2.0), behind two of no operation that fill the word.
_MD5_HEAD, _MD5_DIGEST_BYTES = b"\1\1\x13\x12", 16
_CHECKSUM_AT = {4: 36, 6: 56}  # of TCP, behind an IP header without options, by version


def low_ttl(about: str = "time-to-live of the fake: past the box, short of the server") -> int:
    """Return the option of packets that must die between box and server."""
    return option(_BEHIND_THE_BOX, whole(1, 64), about)


def noise(size: int) -> bytes:
    """Return bytes that no recogniser takes for a protocol."""
    return b"\xaa" + reproducible(size).randbytes(size - 1)  # no record type, no method, no version of SOCKS begins so


def spoiled(segment: bytes) -> bytes:
    """Return a segment whose TCP checksum is wrong."""
    at = _CHECKSUM_AT[segment[0] >> 4]
    return segment[:at] + bytes(255 - each for each in segment[at : at + 2]) + segment[at + 2 :]


def _after(fake: Callable[[Talk], bytes], name: str) -> Passage:
    hello = client_hello(name)

    def send(talk: Talk) -> None:
        # The fake takes the hello's own sequence number: a box that keeps the first bytes that it sees never reads the
        # hello.
        talk.emit(fake(talk))
        talk.send(hello)

    return Passage(steps=(Take(len(hello)),), send=send)


@dataclass(frozen=True, slots=True)
class FakeHello:
    """One innocuous hello first."""

    ttl: int = low_ttl()
    other: str = option("example.org", SERVER_NAME, "the name in the fake hello")

    def passage(self, name: str) -> Passage:
        """Send the fake hello with a short life, then the true one."""
        return _after(lambda talk: talk.segment(client_hello(self.other), ttl=self.ttl), name)


@dataclass(frozen=True, slots=True)
class FakeRandom:
    """A random packet first."""

    ttl: int = low_ttl()
    size: int = option(150, whole(1, 1400), "of the random payload, bytes")

    def passage(self, name: str) -> Passage:
        """Send noise with a short life, then the hello."""
        return _after(lambda talk: talk.segment(noise(self.size), ttl=self.ttl), name)


@dataclass(frozen=True, slots=True)
class WrongChecksum:
    """A random packet whose TCP checksum is wrong: the far end drops it."""

    size: int = option(150, whole(1, 1400), "of the random payload, bytes")

    def passage(self, name: str) -> Passage:
        """Send noise with a wrong checksum, then the hello."""
        return _after(lambda talk: spoiled(talk.segment(noise(self.size))), name)


@dataclass(frozen=True, slots=True)
class WrongSequence:
    """A random packet that claims to be old: the far end acknowledges what it has and drops it."""

    size: int = option(150, whole(1, 1400), "of the random payload, bytes")
    behind: int = option(_LONG_AGO, whole(2000, 1 << 30), "how far the sequence number lies back")

    def passage(self, name: str) -> Passage:
        """Send noise that claims to be old, then the hello."""
        return _after(lambda talk: talk.segment(noise(self.size), shift=-self.behind), name)


@dataclass(frozen=True, slots=True)
class Md5Option:
    """A random packet with TCP's MD5 option: a server that knows the option and has no key for us drops it.

    Linux does so if it is built with CONFIG_TCP_MD5SIG, as by distributions and as the guest's kernel is; others take
    the packet for data.
    """

    size: int = option(150, whole(1, 1400), "of the random payload, bytes")

    def passage(self, name: str) -> Passage:
        """Send noise with a signature that nobody can check, then the hello."""
        signature = _MD5_HEAD + reproducible(_MD5_DIGEST_BYTES).randbytes(_MD5_DIGEST_BYTES)
        return _after(lambda talk: talk.segment(noise(self.size), options=signature), name)
