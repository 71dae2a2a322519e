"""One end of a QUIC connection: aioquic decides what to send and when, this sends, receives and keeps the time.

Not asyncio's loop, which aioquic brings: what is done in which order, and how often the clock is read, has to be the
same in every run. Imported where a scenario has HTTP/3, and nowhere else: aioquic takes a while to load.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

from testbed.traffic.connection import TransferError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aioquic.quic.connection import QuicConnection
    from aioquic.quic.events import QuicEvent

__all__ = ["QuicEnd", "configuration", "wait"]

_LARGEST_DATAGRAM = 65_535
# With the headers of UDP and IPv4, 1378 bytes: below the 1500 of every link, and no more headers a byte than TCP has.
_DATAGRAM_BYTES = 1350
# Of flow control. No line waits for these: with aioquic's own, a fast and long one would.
_WINDOW_BYTES = 16 << 20


def configuration(*, is_client: bool, idle_timeout_s: float, server_name: str | None = None) -> QuicConfiguration:
    """Return what both ends of a connection agree on.

    Args:
        is_client: Whether it is for the end that begins.
        idle_timeout_s: After so long a silence the connection is over.
        server_name: That goes into the hello, in the QUIC Initial.
    """
    return QuicConfiguration(
        is_client=is_client,
        server_name=server_name,
        alpn_protocols=H3_ALPN,
        # What Linux's TCP has on both ends, unless a scenario says otherwise.
        congestion_control_algorithm="cubic",
        idle_timeout=idle_timeout_s,
        max_datagram_size=_DATAGRAM_BYTES,
        max_data=_WINDOW_BYTES,
        max_stream_data=_WINDOW_BYTES,
        supported_versions=[QuicProtocolVersion.VERSION_1],  # no browser begins with another
    )


class QuicEnd:
    """A QUIC connection on a connected socket.

    Args:
        quic: The connection.
        datagrams: The socket; its peer is the other end.
        peer: Address and port of the other end.
    """

    def __init__(self, quic: QuicConnection, datagrams: socket.socket, peer: tuple[str, int]) -> None:
        self._datagrams = datagrams
        self._peer = peer
        self.quic = quic

    def fileno(self) -> int:
        """Return the descriptor of the socket, for select."""
        return self._datagrams.fileno()

    def take_all(self, now: float) -> None:
        """Take every datagram that has come. Raises TransferError if the peer's host says that nobody is there."""
        while True:
            try:
                data = self._datagrams.recv(_LARGEST_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                raise TransferError(f"receiving failed: {error.strerror}") from error
            self.take(data, now)

    def take(self, data: bytes, now: float) -> None:
        """Take a datagram."""
        self.quic.receive_datagram(data, self._peer, now)

    def keep_time(self, now: float) -> None:
        """Do what is due by now."""
        timer = self.quic.get_timer()
        if timer is not None and timer <= now:
            self.quic.handle_timer(now)

    def events(self) -> Iterable[QuicEvent]:
        """Yield what has happened on the connection."""
        while (event := self.quic.next_event()) is not None:
            yield event

    def send_all(self, now: float) -> None:
        """Send what may be sent now. Raises TransferError if the peer's host says that nobody is there."""
        try:
            for data, _ in self.quic.datagrams_to_send(now):
                self._datagrams.send(data)
        except OSError as error:
            raise TransferError(f"sending failed: {error.strerror}") from error

    def close(self) -> None:
        """Close the socket."""
        self._datagrams.close()


def wait(descriptors: list[int], seconds: float | None) -> list[int]:
    """Wait until some are readable, or for a while; return those, in their order.

    select, not poll: poll counts whole milliseconds, in which a paced sender has several datagrams to send.
    """
    return select.select(descriptors, [], [], None if seconds is None else max(seconds, 0.0))[0]
