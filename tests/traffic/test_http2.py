"""What both ends of HTTP/2 add to h2: a window below zero has no room, and a farewell ends no stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from testbed.traffic.http2 import Http2

if TYPE_CHECKING:
    from h2.connection import H2Connection

HEAD = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/")]


@pytest.fixture
def ends() -> tuple[Http2, Http2]:
    """A client and a server that have begun."""
    client, server = Http2(is_client=True, settings={}), Http2(is_client=False, settings={})
    client.begin()
    server.begin()
    exchange(client, server)
    return client, server


def exchange(client: H2Connection, server: H2Connection) -> None:
    """Let each take what the other has to say."""
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())


def farewell(last_stream: int, error: ErrorCodes = ErrorCodes.NO_ERROR) -> bytes:
    return GoAwayFrame(0, last_stream_id=last_stream, error_code=error).serialize()


def test_there_is_room_for_what_a_frame_and_both_windows_hold(ends: tuple[Http2, Http2]) -> None:
    client, server = ends
    client.send_headers(1, HEAD, end_stream=True)
    exchange(client, server)
    assert server.room(1) == server.max_outbound_frame_size
    server.send_headers(1, [(":status", "200")])
    server.send_data(1, bytes(10_000))
    client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    exchange(client, server)
    assert server.local_flow_control_window(1) < 0
    assert server.room(1) == 0


def test_what_was_asked_is_answered_after_a_farewell(ends: tuple[Http2, Http2]) -> None:
    client, server = ends
    client.send_headers(1, HEAD, end_stream=True)
    assert not any(isinstance(each, ConnectionTerminated) for each in server.receive_data(client.data_to_send()))
    server.receive_data(farewell(0))
    server.send_headers(1, [(":status", "200")])
    server.send_data(1, b"all", end_stream=True)
    # In one piece, as nginx sends it with its answer to the last request that it takes.
    events = client.receive_data(farewell(1) + server.data_to_send())
    assert {type(each) for each in events} >= {ResponseReceived, DataReceived, StreamEnded}
    assert (client.farewell, server.farewell) == (1, 0)


def test_an_error_ends_the_connection(ends: tuple[Http2, Http2]) -> None:
    client, _ = ends
    (event,) = client.receive_data(farewell(1, ErrorCodes.ENHANCE_YOUR_CALM))
    assert isinstance(event, ConnectionTerminated)
    assert client.farewell is None
