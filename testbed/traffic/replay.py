"""Both ends of a replay, and the server at the far end of every conversation.

In a replay each end sends its messages as soon as the messages before them have come.

The replaying server listens on port 443 (Censored Planet report, 2021-04-06) and cannot tell one replay from another by
its bytes, some of which are inverted. The client therefore announces each replay, with its own address and port, on a
Unix socket inside the guest: not a byte of it crosses the emulated network. Conversations (`conversation`) are
announced in the same way.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from typing import TYPE_CHECKING, TypedDict

from testbed.records.jsonl import LineWriter
from testbed.records.plan import ReplayTransfer
from testbed.traffic.connection import Connection, TransferError, connect
from testbed.traffic.conversation import HTTPS, SMALL_WINDOW, Order
from testbed.traffic.far_end import converse, prepare
from testbed.traffic.log import TransferLog
from testbed.traffic.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.records.measurements import End

__all__ = ["load_variant", "replay", "serve_replays"]

PORT = HTTPS
_TCP_WINDOW_CLAMP = 10  # linux/tcp.h

Announced = Order | ReplayTransfer
"""What the far end is told to expect: a conversation's steps, or a replay."""


class _Announcement(TypedDict):
    """A line on the Unix socket: from which address and port what will come."""

    peer: End
    transfer: Announced


def load_variant(path: Path, *, direction: str, inverted: bool) -> Recording:
    """Return a recording as one replay needs it: ``download`` or ``upload``, original or inverted."""
    recording = Recording.load(path)
    if direction == "upload":
        recording = recording.as_upload()
    return recording.inverted() if inverted else recording


def replay(
    recording: Recording, server: str, *, announce: Callable[[int], None], local_port: int, timeout_s: float,
    log: TransferLog, count: str,
) -> None:  # fmt: skip
    """Replay the client's side.

    Args:
        recording: What to replay.
        server: Address of the replaying server.
        announce: Tells the server which replay comes from ``local_port``; called before connecting.
        local_port: Source port.
        timeout_s: For all of it.
        log: Where events and samples go.
        count: Direction whose bytes are logged here, ``down`` for the client of a download.

    Raises:
        TransferError: What the client saw.
    """
    announce(local_port)
    connection = connect((server, PORT), timeout_s=timeout_s, log=log, local_port=local_port)
    try:
        _play(connection, recording, ours="up", log=log, count=count)
        connection.drain()
    finally:
        connection.close()


def _play(connection: Connection, recording: Recording, *, ours: str, log: TransferLog, count: str) -> None:
    received = 0
    for message in recording.messages:
        if message.direction == ours:
            connection.send(message.payload)
            continue
        missing = len(message.payload)
        # Never more than the rest of this message: the next one may depend on what we have to send first.
        while missing:
            data = connection.receive(missing)
            if not data:
                raise TransferError(f"the peer closed the connection; {missing} bytes of a message are missing")
            missing -= len(data)
            received += len(data)
            if message.direction == count:
                log.received(connection.now, received)


def announce_to(control: Path, address: str, transfer: Announced) -> Callable[[int], None]:
    """Return a function that tells the replaying server which replay will come from a port of ``address``."""

    def announce(port: int) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(str(control))
            # The answer is waited for: a connection that overtook its announcement would be closed as a stranger's.
            line.sendall(json.dumps({"peer": [address, port], "transfer": transfer}).encode() + b"\n")
            if line.recv(1) != b"+":
                raise TransferError("the replaying server did not take the announcement")

    return announce


def serve_replays(
    control: Path, *, recordings: Path, measurements: Path, start_ns: int, ready: Callable[[], None], ending: int,
    has_ipv6: bool = False,
) -> None:  # fmt: skip
    """The replaying server: take announcements and connections until it is to end.

    Args:
        control: Path of the Unix socket.
        recordings: Folder of the recordings.
        measurements: The file that the server's own view is appended to.
        start_ns: Start of the run.
        ready: Called once it listens.
        ending: A descriptor that is readable once it is to end.
        has_ipv6: Whether it listens on IPv6 as well.
    """
    # Announced and not yet come. A client announces before it connects, so a stranger on the port is none of ours.
    announced: dict[End, Announced] = {}

    with (
        contextlib.closing(LineWriter(measurements)) as writer,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as orders,
        contextlib.ExitStack() as open_ports,
    ):
        families = [socket.AF_INET, *([socket.AF_INET6] if has_ipv6 else [])]
        ports = [open_ports.enter_context(_listen(PORT, family)) for family in families]
        small = [open_ports.enter_context(_listen(SMALL_WINDOW, family)) for family in families]

        def beside(transfer: Announced, part: Callable[[TransferLog], None]) -> None:
            """Play a part while we go on listening. A thread: a fork costs the guest more than a whole conversation."""
            log = TransferLog(writer, transfer=transfer["id"], side="server", start_ns=start_ns)
            threading.Thread(target=part, args=(log,), daemon=True).start()

        for each in small:
            each.setsockopt(socket.IPPROTO_TCP, _TCP_WINDOW_CLAMP, 1)  # the kernel makes it the least that it allows
        orders.bind(str(control))
        orders.listen()
        listeners = {each.fileno(): each for each in (*ports, *small)}
        poll = select.poll()
        for descriptor in (ending, orders.fileno(), *listeners):
            poll.register(descriptor, select.POLLIN)
        ready()
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == ending:
                    return
                if descriptor == orders.fileno():
                    _take_announcement(orders, announced, beside)
                    continue
                accepted, peer = listeners[descriptor].accept()
                transfer = announced.pop(peer[:2], None)
                if transfer is None:
                    accepted.close()
                else:
                    beside(transfer, _part(accepted, transfer, recordings))


def _listen(port: int, family: socket.AddressFamily) -> socket.socket:
    return socket.create_server(("", port), family=family, backlog=128, reuse_port=True)


def _take_announcement(
    orders: socket.socket,
    announced: dict[End, Announced],
    beside: Callable[[Announced, Callable[[TransferLog], None]], None],
) -> None:
    """Remember who will come for what, or begin at once where the client waits for us."""
    line, _ = orders.accept()
    with line:
        order: _Announcement = json.loads(line.makefile("rb").readline())
        host, port = order["peer"]
        transfer = order["transfer"]
        part = prepare(transfer, (host, port)) if "steps" in transfer else None
        if part is None:
            announced[host, port] = transfer
        else:
            beside(transfer, part)
        line.sendall(b"+")


def _part(accepted: socket.socket, transfer: Announced, recordings: Path) -> Callable[[TransferLog], None]:
    """Return the server's part on a connection: the steps of a conversation, or its messages of a recording."""
    if "steps" in transfer:
        return lambda log: converse(accepted, transfer, log)

    def play(log: TransferLog) -> None:
        recording = load_variant(
            recordings / transfer["recording"], direction=transfer["direction"], inverted=transfer["inverted"]
        )
        connection = Connection(accepted, deadline=log.now() + transfer["timeout_s"], log=log)
        log.event("accepted")
        with contextlib.suppress(TransferError):  # the client reports it
            _play(connection, recording, ours="down", log=log, count="up")
        log.event("played")
        connection.close()

    return play
