"""How a live box ends that has met what it must never meet. What it does otherwise is `test_execution`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from testbed.errors import GuestError
from testbed.middlebox.adapters import nfqueue
from testbed.middlebox.adapters.ruleset import MARKS
from testbed.middlebox.packet import SYN, Direction
from tests.middlebox.build import Connection, profile
from tests.middlebox.live import KernelByHand

if TYPE_CHECKING:
    from testbed.middlebox.events import Event

UP = Direction.UP


class Wire:
    """All is learnt from the first packet."""

    def __init__(self) -> None:
        self.happened: list[str] = []

    def learn(self, _: Direction) -> bool:
        self.happened.append("learn")
        return self.happened == ["learn"]

    def stop_listening(self) -> None:
        self.happened.append("stop listening")


class Queued:
    """A SYN from inside; it takes any verdict."""

    def __init__(self) -> None:
        self.verdicts = 0
        self.payload = Connection().packet(UP, SYN).data
        self.mark = MARKS[UP]
        self.arrived_ns = 1_000_000_000

    def accept(self) -> None:
        self.verdicts += 1

    def drop(self) -> None:
        self.verdicts += 1

    def set_payload(self, data: bytes) -> None:
        raise AssertionError(data)


@pytest.fixture
def logged() -> list[Event]:
    return []


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch, logged: list[Event]) -> nfqueue.LiveBox:
    monkeypatch.setattr(nfqueue, "Dataplane", lambda *_: KernelByHand())
    monkeypatch.setattr(nfqueue, "Wires", lambda _: Wire())
    return nfqueue.LiveBox(profile(), seed=1, inside="in0", outside="out0", log=logged.extend)


def test_what_a_packet_brings_down_is_told_with_the_packet_and_the_place(
    live: nfqueue.LiveBox, logged: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Queued(), Queued()

    def work(*_: object) -> NoReturn:
        take(live, first)
        monkeypatch.setattr(live._execution, "on_packet", fail)
        take(live, second)
        raise AssertionError("a packet that cannot be decided on was passed over")

    monkeypatch.setattr(live, "_work", work)
    with pytest.raises(GuestError) as caught:
        live.run(lambda: None, -1)
    assert [first.verdicts, second.verdicts] == [1, 0]
    message = str(caught.value)
    assert message.startswith("the middlebox failed at a TCP packet of 40 bytes, 10.0.0.1 port 40000 to 192.0.2.1")
    assert "on its way up: KeyError: 4 (test_nfqueue.py, line " in message
    assert [type(event).__name__ for event in logged] == ["FlowOpened"]  # what was recorded is kept


def take(live: nfqueue.LiveBox, queued: Any) -> None:
    live._on_queued(queued)


def fail(*_: object) -> NoReturn:
    raise KeyError(4)


def test_the_first_packet_does_not_wait_until_the_ports_are_deaf(
    live: nfqueue.LiveBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = live._wires.happened  # type: ignore[attr-defined]  # a Wire
    monkeypatch.setattr(Queued, "accept", lambda _: happened.append("accept"))
    take(live, Queued())
    take(live, Queued())
    assert happened == ["learn", "accept", "stop listening", "learn", "accept"]


def test_an_error_of_the_testbed_keeps_its_own_words(live: nfqueue.LiveBox, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise GuestError("the kernel refused a rule")

    monkeypatch.setattr(live, "_work", refuse)
    with pytest.raises(GuestError, match=r"^the kernel refused a rule$"):
        live.run(lambda: None, -1)
