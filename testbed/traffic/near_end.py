"""The client's side of conversations: kernel sockets, raw datagrams beside them, and what the download was like."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.packet import ACK, PSH
from testbed.traffic.connection import Connection, TransferError, accept, connect, family_of, set_ttl
from testbed.traffic.conversation import HTTPS, DatagramPassage, Passage, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.traffic.conversation import Order
    from testbed.traffic.log import TransferLog

__all__ = ["NearEnd"]

_DEFAULT_TTL = 64
_POLL_S = 0.02
_SHORTEST_S = 1e-6  # of a download, so that no goodput is divided by zero
_SILENCE_S = 3.0  # after which a download of datagrams is over
_LARGEST_DATAGRAM = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class NearEnd:
    """Where the client is, and how it reaches the far end.

    Attributes:
        address: The client's.
        far: Address of the far end.
        announce: Tells the far end the order of the conversation that comes from a port.
    """

    address: str
    far: str
    announce: Callable[[int, Order], None]

    def hold(
        self, passage: Passage | DatagramPassage, *, transfer: str, port: int, size: int, timeout_s: float,
        log: TransferLog, download_s: float | None = None,
    ) -> float:  # fmt: skip
        """Hold one conversation and download the object.

        Args:
            passage: What the conversation is.
            transfer: Its id, for the far end's log.
            port: The client's, used by no other conversation of the run.
            size: Of the object, bytes.
            timeout_s: For all of it.
            log: Events ``started``, ``connected``, ``download``, ``bytes``, ``tcp_info``.
            download_s: For the download alone, over TCP; a slower one is broken off.

        Returns:
            Goodput of the download, bit/s, from the client's last packet before it to its last byte.

        Raises:
            TransferError: What the client saw.
        """
        order = passage.order(transfer=transfer, size=size, timeout_s=timeout_s)
        if isinstance(passage, DatagramPassage):
            return self._exchange_datagrams(passage, order, port, size, log)
        connection = self._open(passage, order, port, log)
        try:
            passage.send(StreamTalk(connection))
            began = log.now()  # here, not at the SYN: some evasions idle for minutes before they ask for the object
            log.event("download", size=size)
            if download_s is not None:
                connection.hurry(download_s)
            _receive(connection, size, log)
            ended = connection.now
            connection.drain()
        finally:
            connection.close()
        return _rate_bps(size, ended - began)

    def _open(self, passage: Passage, order: Order, port: int, log: TransferLog) -> Connection:
        timeout_s = order["timeout_s"]
        if passage.opens == "far":
            return accept(
                lambda: self.announce(port, order), address=self.address, port=port, timeout_s=timeout_s, log=log
            )
        self.announce(port, order)
        return connect((self.far, passage.port), timeout_s=timeout_s, log=log, local_port=port)

    def _exchange_datagrams(
        self, passage: DatagramPassage, order: Order, port: int, size: int, log: TransferLog
    ) -> float:
        self.announce(port, order)
        with socket.socket(family_of(self.far), socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(("", port))
            datagrams.connect((self.far, HTTPS))
            log.event("started", remote=[self.far, HTTPS])
            log.event("connected", local=[self.address, port], remote=[self.far, HTTPS])
            if passage.decoys:
                set_ttl(datagrams, passage.decoy_ttl)
                for decoy in passage.decoys:
                    datagrams.send(decoy)
                set_ttl(datagrams, _DEFAULT_TTL)
            for datagram in passage.datagrams:
                datagrams.send(datagram)
            began = ended = log.now()
            log.event("download", size=size)
            datagrams.settimeout(_SILENCE_S)
            total = 0
            while total < size:
                try:
                    total += len(datagrams.recv(_LARGEST_DATAGRAM))
                except TimeoutError:
                    raise TransferError(f"{total} of {size} bytes came; then nothing for {_SILENCE_S:g} s") from None
                except OSError as error:
                    raise TransferError(f"{total} of {size} bytes came; then: {error.strerror}") from error
                ended = log.now()
                log.received(ended, total)
        return _rate_bps(size, ended - began)


def _rate_bps(size: int, seconds: float) -> float:
    """Divide, though no time may have passed: a small object may have come with what was sent before it."""
    return size * 8 / max(seconds, _SHORTEST_S)


def _receive(connection: Connection, size: int, log: TransferLog) -> None:
    total = 0
    while total < size:
        data = connection.receive(size - total)
        if not data:
            raise TransferError(f"the far end closed the connection after {total} of {size} bytes")
        total += len(data)
        log.received(connection.now, total)


class StreamTalk(Talk):
    """A TCP connection of the kernel's, and a raw socket for what the kernel would not send."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        connection.send_at_once()

    def send(self, *payloads: bytes) -> None:
        """Send each payload by a call of its own: with TCP_NODELAY each leaves in its own segments."""
        for payload in payloads:
            self._connection.send(payload)

    def send_to_die(self, payload: bytes) -> None:
        """Send with time-to-live 1; what the kernel repeats later has the ordinary one."""
        self._connection.set_ttl(1)
        self._connection.send(payload)
        # The segment has left by now: without congestion the kernel sends it within the system call.
        self._connection.set_ttl(_DEFAULT_TTL)

    def segment(
        self, payload: bytes = b"", *, flags: int = PSH | ACK, ttl: int = _DEFAULT_TTL, shift: int = 0,
        options: bytes = b"",
    ) -> bytes:  # fmt: skip
        """Craft the segment that the kernel would send next, ``shift`` bytes off in sequence."""
        (near, near_port), (far, far_port) = self._connection.local, self._connection.remote
        sequence, acknowledged = self._connection.sequence_numbers()
        return tcp_segment(
            src=socket.inet_pton(family_of(near), near), dst=socket.inet_pton(family_of(far), far),
            sport=near_port, dport=far_port,
            seq=(sequence + shift) % 2**32, ack=acknowledged, flags=flags, payload=payload, ttl=ttl, options=options,
        )  # fmt: skip

    def emit(self, *datagrams: bytes) -> None:
        """Put datagrams on the wire as they are; of IPv4 the kernel fills in an identification of 0."""
        far = self._connection.remote[0]
        with socket.socket(family_of(far), socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for datagram in datagrams:
                raw.sendto(datagram, (far, 0))

    def receive(self, count: int) -> bytes:
        """Wait for so many bytes. Raises TransferError if the far end closes before."""
        data = b""
        while len(data) < count:
            more = self._connection.receive(count - len(data))
            if not more:
                raise TransferError(f"the far end closed the connection; {count - len(data)} bytes are missing")
            data += more
        return data

    def settle(self) -> None:
        """Wait until all is acknowledged. Raises TransferError if it takes too long."""
        # Nothing wakes a process when the last byte is acknowledged, so it is looked at now and then.
        while self._connection.unacknowledged():
            self._connection.wait(_POLL_S)

    def wait(self, seconds: float) -> None:
        """Stay idle."""
        self._connection.wait(seconds)
