"""What the box sends itself goes out at the right port, and what it learns for that holds no packet up."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.adapters import wires as module
from testbed.middlebox.adapters.wires import Wires
from testbed.middlebox.packet import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

NEAR, FAR = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
CROSSING, OUR_OWN = 3, 4  # linux/if_packet.h: PACKET_OTHERHOST, PACKET_OUTGOING


class Tap:
    """A packet socket on a port."""

    def __init__(self, heard: Iterator[tuple[bytes, tuple[str, int, int]]]) -> None:
        self.ears, self.mouth = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ears.settimeout(0)
        self._heard = heard
        self.sent: list[bytes] = []

    def recvfrom(self, _: int) -> tuple[bytes, tuple[str, int, int]]:
        try:
            return next(self._heard)
        except StopIteration:
            raise BlockingIOError from None

    def setsockopt(self, *option: object) -> None:
        self.ears.setsockopt(*option)  # type: ignore[call-overload]

    def hears(self) -> bool:
        self.mouth.send(b"frame")
        try:
            return bool(self.ears.recv(9))
        except BlockingIOError:
            return False

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        raise AssertionError("the kernel waits for all processors before it closes a packet socket")


def frame(source: bytes, destination: bytes, kind: bytes = b"\x08\x00") -> bytes:
    return destination + source + kind


@pytest.fixture
def taps(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, int], Tap]]:
    heard = {
        "eth0": [(frame(FAR, NEAR), ("eth0", 0, OUR_OWN)), (frame(NEAR, FAR), ("eth0", 0, CROSSING))], "eth1": [],
    }  # fmt: skip
    made: dict[tuple[str, int], Tap] = {}

    def make(name: str, protocol: int) -> Tap:
        return made.setdefault((name, protocol), Tap(iter(heard[name])))

    monkeypatch.setattr(module, "_socket", make)
    yield made
    for tap in made.values():
        tap.ears.close()
        tap.mouth.close()


def test_a_packet_of_the_boxs_own_goes_out_as_the_neighbours(taps: dict[tuple[str, int], Tap]) -> None:
    wires = Wires({Direction.UP: "eth0", Direction.DOWN: "eth1"})
    wires.learn(Direction.UP)
    wires.send(Direction.DOWN, b"\x45 reset")
    assert taps["eth0", 0].sent == [frame(FAR, NEAR) + b"\x45 reset"]


def test_the_packet_that_is_learnt_from_is_not_held_up_and_later_ones_are_not_heard(
    taps: dict[tuple[str, int], Tap],
) -> None:
    wires = Wires({Direction.UP: "eth0", Direction.DOWN: "eth1"})
    listening = [tap for (_, protocol), tap in taps.items() if protocol]
    assert [tap.hears() for tap in listening] == [True, True]
    assert not wires.learn(Direction.DOWN)  # nothing has been heard there
    assert wires.learn(Direction.UP)
    assert not wires.learn(Direction.UP)
    wires.stop_listening()  # closes no tap: see Tap.close
    assert [tap.hears() for tap in listening] == [False, False]
