"""The hello inside a connection to a proxy that is not encrypted: boxes read on (IMC 2021, section 6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.traffic.conversation import HTTPS, Give, Passage, Take
from testbed.traffic.hello import client_hello
from testbed.traffic.options import option, whole

if TYPE_CHECKING:
    from testbed.traffic.conversation import Step, Talk

__all__ = ["HttpProxy", "Socks"]

_SOCKS_4 = 4  # the one of the two that takes an address in place of a name
_PORT = HTTPS.to_bytes(2, "big")
_TWITTER = bytes([104, 244, 42, 1])  # one of Twitter's addresses: the proxy, our far end, connects to nobody


def _through(exchanges: list[tuple[bytes, bytes]], name: str) -> Passage:
    """Requests and the proxy's answers, then the hello."""
    hello = client_hello(name)
    steps: list[Step] = []
    for request, answer in exchanges:
        steps += [Take(len(request)), Give(answer)]

    def send(talk: Talk) -> None:
        for request, answer in exchanges:
            talk.send(request)
            talk.receive(len(answer))
        talk.send(hello)

    return Passage(steps=(*steps, Take(len(hello))), send=send)


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """A CONNECT request."""

    def passage(self, name: str) -> Passage:
        """Ask the proxy for a tunnel, then send the hello through it."""
        request = f"CONNECT {name}:{HTTPS} HTTP/1.1\r\nHost: {name}:{HTTPS}\r\n\r\n".encode()
        return _through([(request, b"HTTP/1.1 200 Connection established\r\n\r\n")], name)


@dataclass(frozen=True, slots=True)
class Socks:
    """SOCKS 4, or 5. There the hello is the fifth packet: flows with the smallest budget, 1 of 13, get away with it."""

    version: int = option(4, whole(4, 5), "of the protocol: 4 or 5")

    def passage(self, name: str) -> Passage:
        """Ask the proxy for a connection, then send the hello through it."""
        if self.version == _SOCKS_4:
            return _through([(b"\x04\x01" + _PORT + _TWITTER + b"user\x00", b"\x00\x5a" + bytes(6))], name)
        host = name.encode("latin-1")
        request = b"\x05\x01\x00\x03" + bytes([len(host)]) + host + _PORT
        return _through([(b"\x05\x01\x00", b"\x05\x00"), (request, b"\x05\x00\x00\x01" + bytes(6))], name)
