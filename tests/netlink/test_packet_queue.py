"""What the kernel tells of a packet is read, and what is decided reaches it: against a kernel made of a list."""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.netlink.packet_queue import PacketQueue
from testbed.netlink.socket import NetlinkSocket, attribute, attributes

Answers = dict[str, Any]
_MESSAGE = struct.Struct("=IHHII")
_PACKET, _VERDICT = 0x300, 0x301


def message(*told: bytes, kind: int = _PACKET) -> bytes:
    body = struct.pack(">BBH", 7, 0, 0) + b"".join(told)
    return _MESSAGE.pack(_MESSAGE.size + len(body), kind, 0, 0, 0) + body


def packet(number: int, payload: bytes, *told: bytes) -> bytes:
    head = attribute(1, struct.pack(">IHB", number, 0x0800, 2))
    return message(head, *told, attribute(10, payload))


class Kernel:
    """Hands out what a list has, then says that nothing waits; an error in the list is raised."""

    def __init__(self, *answers: bytes | OSError) -> None:
        self.sent: list[bytes] = []
        self._answers = list(answers)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, _: int) -> bytes:
        if not self._answers:
            raise BlockingIOError
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    @property
    def verdicts(self) -> list[dict[int, bytes]]:
        """The attributes of each verdict that was sent."""
        assert {_MESSAGE.unpack_from(each)[1] for each in self.sent} <= {_VERDICT}
        return [attributes(each[_MESSAGE.size + 4 :]) for each in self.sent]


def queue_of(kernel: Any) -> PacketQueue:
    made = PacketQueue.__new__(PacketQueue)
    made._number = 0
    made._socket = kernel
    made._kernel = NetlinkSocket.__new__(NetlinkSocket)
    made._kernel._socket = kernel
    made._kernel._sequence = 0
    return made


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**40),
    st.integers(0, 999_999),
    st.binary(max_size=80),
)
def test_a_packet_is_what_the_kernel_told(number: int, mark: int, s: int, us: int, payload: bytes) -> None:
    told = [attribute(3, struct.pack(">I", mark)), attribute(4, struct.pack(">QQ", s, us))]
    (found,) = queue_of(Kernel(packet(number, payload, *told))).packets()
    assert (found.mark, found.arrived_ns, found.payload) == (mark, s * 10**9 + us * 1000, payload)


def test_what_the_kernel_does_not_tell_is_nothing() -> None:
    (found,) = queue_of(Kernel(packet(1, b"x"))).packets()
    assert (found.mark, found.arrived_ns) == (0, 0)


def test_each_verdict_names_its_packet() -> None:
    kernel = Kernel(packet(7, b"one"), packet(8, b"two"), packet(9, b"three"))
    first, second, third = queue_of(kernel).packets()
    third.drop()
    first.accept()
    second.set_payload(b"other")
    second.accept()
    assert kernel.verdicts == [
        {2: struct.pack(">II", 0, 9)},
        {2: struct.pack(">II", 1, 7)},
        {2: struct.pack(">II", 1, 8), 10: b"other"},
    ]


def test_what_is_dropped_is_not_replaced() -> None:
    kernel = Kernel(packet(7, b"one"))
    (only,) = queue_of(kernel).packets()
    only.set_payload(b"other")
    only.drop()
    assert kernel.verdicts == [{2: struct.pack(">II", 0, 7)}]


def test_packets_that_did_not_fit_do_not_stop_those_that_did() -> None:
    lost = OSError(errno.ENOBUFS, "No buffer space available")
    found = queue_of(Kernel(packet(1, b"a"), lost, packet(2, b"b"))).packets()
    assert [each.payload for each in found] == [b"a", b"b"]


def test_what_else_goes_wrong_is_raised() -> None:
    with pytest.raises(OSError, match="Bad file"):
        list(queue_of(Kernel(OSError(errno.EBADF, "Bad file descriptor"))).packets())


def test_an_answer_that_is_no_packet_is_passed_over() -> None:
    found = queue_of(Kernel(message(kind=2), packet(2, b"b"))).packets()
    assert [each.payload for each in found] == [b"b"]


def test_a_queue_belongs_to_one_until_it_is_closed(guest_answers: Answers) -> None:
    queues = guest_answers["queues"]
    assert "refused to set up packet queue 0: Operation not permitted" in queues["taken"]["message"]
    assert queues["waiting"] == 0
    # None waits, whole datagrams are copied: mode 2 and their longest (nfnetlink_queue.c, seq_show).
    assert queues["settings"] == ["0", "2", "65531"]
