"""The far end's side of a conversation: the steps that were announced, then the object."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from testbed.traffic.connection import Connection, TransferError, family_of
from testbed.traffic.conversation import HTTPS, Bulk, Give, Step, Take, object_pieces, steps_from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.traffic.conversation import Order
    from testbed.traffic.log import TransferLog

__all__ = ["converse", "prepare"]

_PIECE_BYTES = 1 << 16
# Without congestion control a sender must not be faster than the path: 2 Mbit/s, four times what is left of throttled
# QUIC (ru-yt-2024-quic).
_DATAGRAM_BYTES = 1200
_DATAGRAM_INTERVAL_S = _DATAGRAM_BYTES * 8 / 2_000_000


def prepare(order: Order, peer: tuple[str, int]) -> Callable[[TransferLog], None] | None:
    """Get ready for a conversation that does not begin with the client's connection.

    Args:
        order: As announced.
        peer: The client's address and port.

    Returns:
        What does the far end's part, in a process of its own; None where the client connects.
    """
    steps = steps_from_json(order["steps"])
    if order["protocol"] == "udp":
        datagrams = _bound(peer, socket.SOCK_DGRAM, HTTPS)
        datagrams.connect(peer)
        return lambda _: _converse_in_datagrams(datagrams, steps, order["timeout_s"])
    if order["opens"] == "near":
        return None
    opening = _bound(peer, socket.SOCK_STREAM, HTTPS if order["opens"] == "both" else 0)

    def open_and_converse(log: TransferLog) -> None:
        opening.settimeout(order["timeout_s"])
        with opening, contextlib.suppress(OSError):
            opening.connect(peer)
            converse(opening, order, log)

    return open_and_converse


def _bound(peer: tuple[str, int], kind: socket.SocketKind, port: int) -> socket.socket:
    """Return a socket on a port on which the far end listens too: its peer tells it apart."""
    bound = socket.socket(family_of(peer[0]), kind)
    if bound.family == socket.AF_INET6:  # its IPv4 port is another socket's
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    # The listeners are on this port already. A connected socket is found before a listening one, so none is disturbed.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("", port))
    return bound


def converse(connected: socket.socket, order: Order, log: TransferLog) -> None:
    """Take the announced steps on a TCP connection and close it. What fails is for the client to report."""
    connection = Connection(connected, deadline=log.now() + order["timeout_s"], log=log)
    log.event("accepted")
    try:
        with contextlib.suppress(TransferError):
            for step in steps_from_json(order["steps"]):
                _take_step(connection, step)
    finally:
        log.event("played")  # before the close, which may wait for a deadline
        connection.close()


def _take_step(connection: Connection, step: Step) -> None:
    match step:
        case Take(count):
            while count:
                data = connection.receive(count)
                if not data:
                    raise TransferError("the client closed the connection")
                count -= len(data)
        case Give(payload):
            connection.send(payload)
        case Bulk(count):
            for piece in object_pieces(count, _PIECE_BYTES):
                connection.send(piece)


def _converse_in_datagrams(datagrams: socket.socket, steps: list[Step], timeout_s: float) -> None:
    datagrams.settimeout(timeout_s)
    with datagrams, contextlib.suppress(OSError):
        for step in steps:
            match step:
                case Take(count):
                    while count > 0:
                        count -= len(datagrams.recv(65_535))
                case Give(payload):
                    datagrams.send(payload)
                case Bulk(count):
                    for piece in object_pieces(count, _DATAGRAM_BYTES):
                        datagrams.send(piece)
                        time.sleep(_DATAGRAM_INTERVAL_S)  # UDP has no congestion control of its own
