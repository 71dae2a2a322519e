from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP

from testbed.middlebox.actions.block_page import BlockPage
from testbed.middlebox.events import BlockingStarted, PacketDropped, PacketInjected
from testbed.middlebox.packet import ACK, FIN, PSH, RST, Direction
from tests.middlebox.actions.build import REQUEST, is_well_formed, names
from tests.middlebox.build import Box, problems, profile

UP, DOWN = Direction.UP, Direction.DOWN


def test_a_block_page_answers_in_the_servers_place() -> None:
    box = Box(profile("isp-block")).connect().up(REQUEST)
    page, reset = (event for event in box.events if isinstance(event, PacketInjected))
    answer = bytes(IP(page.data)[TCP].payload)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    action = profile("isp-block").action
    assert isinstance(action, BlockPage)
    assert body.decode() == action.page
    assert (page.direction, page.flags, reset.direction, reset.flags) == (DOWN, FIN | PSH | ACK, UP, RST | ACK)
    assert is_well_formed(page.data)
    assert names(box.send(box.connection.down(b"late answer"))) == ["packet_dropped"]


def test_other_sites_are_left_alone() -> None:
    box = Box(profile("isp-block")).connect().up(REQUEST.replace(b"rutracker", b"wikipedia"))
    assert not [event for event in box.events if isinstance(event, BlockingStarted | PacketDropped)]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("x" * 1201, "1201 bytes are too many for one packet; expected 1200 or less"),
        ("\ud800", "'\\ud800' at 0 is no character"),
        ("", "expected text, got ''"),
        (404, "expected text, got 404"),
    ],
    ids=["long", "half a character", "empty", "number"],
)
def test_a_page_that_cannot_be_sent_is_refused_with_its_key(page: object, expected: str) -> None:
    assert problems("isp-block", action__page=page) == {"action.page": expected}


def test_a_page_answers_a_request() -> None:
    changes = {"trigger__recognisers": ["tls"], "trigger__names_from": ["tls"]}
    assert list(problems("isp-block", **changes)) == ["action.kind"]
