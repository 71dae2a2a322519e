"""One end of a QUIC connection on a socket."""

from __future__ import annotations

import os
import socket

import pytest
from aioquic.quic.connection import QuicConnection

from testbed.traffic.connection import TransferError
from testbed.traffic.quic import QuicEnd, configuration, wait
from tests.traffic.conftest import LOCALHOST

WAIT_S = 20.0


def test_an_initial_fits_every_link_and_shows_the_name_alone_to_a_client() -> None:
    settings = configuration(is_client=True, idle_timeout_s=5.0, server_name="twitter.com")
    assert 1200 <= settings.max_datagram_size <= 1500 - 28
    assert (settings.server_name, settings.alpn_protocols) == ("twitter.com", ["h3"])


def test_what_is_sent_comes_and_nobody_there_is_told() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind((LOCALHOST, 0))
        peer = far.getsockname()
        near.connect(peer)
        quic = QuicConnection(configuration=configuration(is_client=True, idle_timeout_s=5.0))
        end = QuicEnd(quic, near, peer)
        quic.connect(peer, 0.0)
        end.send_all(0.0)
        assert wait([far.fileno()], WAIT_S) == [far.fileno()]
        assert far.recv(65_535)[0] & 0xF0 == 0xC0  # an Initial
        far.close()
        # The timer asks again: into a port that is closed now.
        timer = quic.get_timer()
        assert timer is not None
        end.keep_time(timer)
        end.send_all(timer)
        wait([near.fileno()], WAIT_S)
        with pytest.raises(TransferError, match="refused"):
            end.take_all(timer)


def test_a_wait_tells_what_is_readable_in_the_order_asked_for() -> None:
    pipes = [os.pipe() for _ in range(3)]
    assert wait([read for read, _ in pipes], 0.0) == []
    for _, write in (pipes[2], pipes[0]):
        os.write(write, b".")
    assert wait([read for read, _ in pipes], WAIT_S) == [pipes[0][0], pipes[2][0]]
    for descriptor in (each for pipe in pipes for each in pipe):
        os.close(descriptor)
