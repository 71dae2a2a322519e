from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.conversation import Bulk, Give, Order, Passage, Step, Take, object_pieces
from testbed.traffic.far_end import converse, prepare
from tests.traffic.conftest import LOCALHOST, KeptLog

if TYPE_CHECKING:
    from testbed.traffic.conversation import Talk


def silent(_: Talk) -> None:
    """The client's part is played by the test itself."""


def order(*steps: Step, size: int = 0) -> Order:
    return Passage(steps=steps, send=silent).order(transfer="t", size=size, timeout_s=5.0)


def held(kept: KeptLog, given: Order, sent: bytes) -> bytes:
    """Hold a conversation with the far end; what came back."""
    with socket.create_server((LOCALHOST, 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
        part = threading.Thread(target=converse, args=(accepted, given, kept.log))
        part.start()
        with near:
            near.sendall(sent)
            near.shutdown(socket.SHUT_WR)
            data = b""
            while more := near.recv(65_536):
                data += more
        part.join(5)
        assert not part.is_alive()
    return data


def test_the_steps_are_taken_in_their_order(kept: KeptLog) -> None:
    data = held(kept, order(Take(3), Give(b"first"), Take(2), size=1000), b"abcde")
    assert data == b"first" + b"".join(object_pieces(1000, 1 << 16))
    assert kept.events() == ["accepted", "bytes", "played"] or kept.events() == ["accepted", "played"]


def test_a_client_that_closes_early_ends_the_conversation(kept: KeptLog) -> None:
    assert held(kept, order(Take(10), Give(b"never")), b"short") == b""
    assert kept.events()[-1] == "played"


def test_a_far_end_that_waits_for_the_client_has_nothing_to_prepare() -> None:
    assert prepare(order(Take(1)), (LOCALHOST, 1)) is None


@pytest.mark.parametrize("step", [["jump", 3], ["take", "3"], ["take"], []])
def test_an_order_that_nobody_can_follow_is_refused(step: list[str | int], kept: KeptLog) -> None:
    wrong: Order = {**order(Bulk(1)), "steps": [step]}
    with pytest.raises(ValueError, match="is no step of a conversation"):
        held_in_place(kept, wrong)


def held_in_place(kept: KeptLog, given: Order) -> None:
    with socket.create_server((LOCALHOST, 0)) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        converse(accepted, given, kept.log)
