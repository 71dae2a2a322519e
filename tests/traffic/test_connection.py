"""A connection with one deadline: what a client sees is a result, whatever the peer does."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.connection import Connection, TransferError, connect
from tests.traffic.conftest import LOCALHOST, KeptLog

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG_S = 20.0


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server((LOCALHOST, 0)) as server:
        server.settimeout(LONG_S)
        yield server


@contextlib.contextmanager
def connected(
    listening: socket.socket, kept: KeptLog, *, seconds_left: float = LONG_S
) -> Iterator[tuple[Connection, socket.socket]]:
    """Our end, and the peer's socket."""
    connecting = socket.create_connection(listening.getsockname())
    peer, _ = listening.accept()
    connection = Connection(connecting, deadline=kept.log.now() + seconds_left, log=kept.log)
    with peer:
        yield connection, peer
    connection.close()


def reset(peer: socket.socket) -> None:
    """Close so that the other end sees a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def test_connecting_is_logged_with_both_ends(listening: socket.socket, kept: KeptLog) -> None:
    connect(listening.getsockname(), timeout_s=LONG_S, log=kept.log).close()
    started, finished = kept.records("started")[0], kept.records("connected")[0]
    assert started["remote"] == finished["remote"] == list(listening.getsockname())
    assert finished["local"][0] == LOCALHOST
    assert finished["t"] >= started["t"]


def test_the_local_port_can_be_chosen(listening: socket.socket, kept: KeptLog) -> None:
    with socket.create_server((LOCALHOST, 0)) as free:
        port = free.getsockname()[1]
    connect(listening.getsockname(), timeout_s=LONG_S, log=kept.log, local_port=port).close()
    assert kept.records("connected")[0]["local"] == [LOCALHOST, port]


def test_a_closed_port_is_a_failed_transfer(kept: KeptLog) -> None:
    with socket.create_server((LOCALHOST, 0)) as server:
        address = server.getsockname()
    with pytest.raises(TransferError, match="connecting failed: Connection refused"):
        connect(address, timeout_s=LONG_S, log=kept.log)
    assert kept.events() == ["started"]


def test_a_connection_that_takes_too_long_is_given_up_and_closed(listening: socket.socket, kept: KeptLog) -> None:
    """A socket left open would be a ResourceWarning, which is an error here."""
    with pytest.raises(TransferError, match="timed out while connecting"):
        connect(listening.getsockname(), timeout_s=0.0, log=kept.log)
    gc.collect()
    assert kept.events() == ["started"]


def test_what_is_sent_arrives_and_what_arrives_is_received(listening: socket.socket, kept: KeptLog) -> None:
    with connected(listening, kept) as (connection, peer):
        connection.send(b"question")
        assert peer.recv(100) == b"question"
        peer.sendall(b"answer")
        assert bytes(connection.receive(3)) == b"ans"
        assert bytes(connection.receive()) == b"wer"
        peer.shutdown(socket.SHUT_WR)
        assert bytes(connection.receive()) == b""


@pytest.mark.parametrize("seconds_left", [0.0, -1.0, 0.001])
def test_a_peer_that_stays_silent_is_given_up_at_the_deadline(
    listening: socket.socket, kept: KeptLog, seconds_left: float
) -> None:
    with (
        connected(listening, kept, seconds_left=seconds_left) as (connection, _),
        pytest.raises(TransferError, match="timed out while waiting for data"),
    ):
        connection.receive()


def test_a_peer_that_reads_nothing_is_given_up_at_the_deadline(listening: socket.socket, kept: KeptLog) -> None:
    with (
        connected(listening, kept, seconds_left=0.0) as (connection, _),
        pytest.raises(TransferError, match="timed out while sending"),
    ):
        connection.send(bytes(50_000_000))


def test_a_reset_is_a_failed_transfer_whatever_is_done_next(listening: socket.socket, kept: KeptLog) -> None:
    with connected(listening, kept) as (connection, peer):
        reset(peer)
        with pytest.raises(TransferError, match="receiving failed: Connection reset by peer"):
            connection.receive()
        with pytest.raises(TransferError, match="sending failed: Broken pipe"):
            connection.send(b"x")
        with pytest.raises(TransferError, match="closing failed: Transport endpoint is not connected"):
            connection.drain()


def test_draining_waits_for_the_peers_end(listening: socket.socket, kept: KeptLog) -> None:
    with connected(listening, kept) as (connection, peer):
        peer.sendall(b"the rest")
        peer.shutdown(socket.SHUT_WR)
        connection.drain()
        assert peer.recv(10) == b""


def test_the_last_thing_is_a_sample_of_tcp_info(listening: socket.socket, kept: KeptLog) -> None:
    with connected(listening, kept) as (connection, peer):
        peer.sendall(bytes(1000))
        received = 0
        while received < 1000:
            received += len(connection.receive())
    last = kept.records("tcp_info")[-1]
    assert last["bytes_received"][-1] in {1000, 1001}  # the peer's FIN counts as a byte
    assert last["snd_mss"][-1] > 500
    assert last["retrans"][-1] == 0


def test_a_slow_reader_reads_at_its_rate(listening: socket.socket, kept: KeptLog) -> None:
    with connected(listening, kept) as (connection, peer):
        began = connection.now
        connection.read_at(800_000)
        peer.sendall(bytes(30_000))
        received = 0
        while received < 30_000:
            received += len(connection.receive())
        # All but the last read have been waited for.
        assert connection.now - began >= 0.95 * (30_000 - 2000) * 8 / 800_000


def test_a_slow_reader_keeps_its_deadline(listening: socket.socket, kept: KeptLog) -> None:
    with connected(listening, kept, seconds_left=0.2) as (connection, peer):
        connection.read_at(1000)
        peer.sendall(bytes(2000))
        connection.receive()
        with pytest.raises(TransferError, match="timed out while waiting"):
            connection.receive()


def test_over_ipv6_the_life_of_a_segment_is_its_hop_limit(kept: KeptLog) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        connection = connect(server.getsockname()[:2], timeout_s=LONG_S, log=kept.log)
        connection.set_ttl(3)
        assert connection._socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 3
        assert connection.remote == server.getsockname()[:2]
        connection.close()
    [connected_at] = kept.records("connected")
    assert (connected_at["local"], connected_at["remote"]) == (list(connection.local), list(connection.remote))
