"""The guest's end of the console: one object a line, both ways, whatever the pieces they come in."""

from __future__ import annotations

import json
import os
import tty
from typing import TYPE_CHECKING

import pytest

from testbed.guest.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ends() -> Iterator[tuple[Console, int]]:
    """The guest's end of a pseudo-terminal, and the host's."""
    host, guest = os.openpty()
    tty.setraw(host)
    line = Console(os.ttyname(guest))
    yield line, host
    os.close(line.fileno())
    os.close(host)
    os.close(guest)


def test_an_object_is_sent_as_one_line(ends: tuple[Console, int]) -> None:
    line, host = ends
    line.send({"kind": "progress", "what": "building", "t": -4.5})
    sent = os.read(host, 4096)
    assert sent.endswith(b"}\n")
    assert json.loads(sent) == {"kind": "progress", "what": "building", "t": -4.5}


@pytest.mark.parametrize(
    ("pieces", "received"),
    [
        ([b'{"kind":"stop"}\n'], [[{"kind": "stop"}]]),
        ([b'{"kind":', b'"stop"}\n'], [[], [{"kind": "stop"}]]),
        ([b'{"a":1}\n{"a":2}\n{"a"', b":3}\n"], [[{"a": 1}, {"a": 2}], [{"a": 3}]]),
        ([b'\n\n{"a":1}\n'], [[{"a": 1}]]),
    ],
)
def test_only_complete_lines_are_received(
    ends: tuple[Console, int], pieces: list[bytes], received: list[list[object]]
) -> None:
    line, host = ends
    found = []
    for piece in pieces:
        os.write(host, piece)
        found.append(line.receive())
    assert found == received
