"""Messages to the kernel and back, against a kernel that is made of a list."""

from __future__ import annotations

import errno
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.netlink.socket import (
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
    NetlinkError,
    NetlinkSocket,
    Request,
    _explanation,
    attribute,
    attributes,
    nested,
)

HEADER = struct.Struct("=IHHII")


def message(kind: int, body: bytes, *, flags: int = 0, sequence: int = 0) -> bytes:
    length = HEADER.size + len(body)
    return HEADER.pack(length, kind, flags, sequence, 0) + body + bytes(-length % 4)


def acknowledgement(sequence: int, code: int = 0, words: str = "") -> bytes:
    echoed = HEADER.pack(HEADER.size, 0, 0, sequence, 0)
    body = struct.pack("=i", -code) + echoed
    flags = NLM_F_CAPPED
    if words:
        flags |= NLM_F_ACK_TLVS
        body += attribute(NLMSGERR_ATTR_MSG, words.encode() + b"\0")
    return message(NLMSG_ERROR, body, flags=flags, sequence=sequence)


class Kernel:
    """Keeps what it is sent and answers from a list."""

    def __init__(self, *answers: bytes) -> None:
        self.sent: list[bytes] = []
        self._answers = list(answers)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def recv(self, _: int) -> bytes:
        return self._answers.pop(0)


def socket_to(kernel: Any) -> NetlinkSocket:
    made = NetlinkSocket.__new__(NetlinkSocket)
    made._socket = kernel
    made._sequence = 0
    return made


def request(body: bytes = b"", *, what: str = "do it") -> Request:
    return Request(16, body, flags=0x400, what=what)


def test_an_attribute_is_padded_to_four_bytes() -> None:
    assert attribute(3, b"lo\0") == b"\x07\0\x03\0lo\0\0"


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40), max_size=6))
def test_attributes_are_read_as_they_were_written(values: dict[int, bytes]) -> None:
    assert attributes(b"".join(attribute(kind, value) for kind, value in values.items())) == values


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=9), max_size=4))
def test_nested_attributes_come_under_their_plain_kind(values: dict[int, bytes]) -> None:
    inner = [attribute(kind, value) for kind, value in values.items()]
    assert attributes(attributes(nested(18, *inner))[18]) == values


@given(st.binary(max_size=120))
def test_any_bytes_have_attributes_or_none(data: bytes) -> None:
    assert sum(map(len, attributes(data).values())) <= len(data)


def test_requests_go_out_as_one_message_that_asks_for_acknowledgements() -> None:
    kernel = Kernel(acknowledgement(1) + acknowledgement(2))
    socket_to(kernel).send([request(b"abcde"), request()])
    (sent,) = kernel.sent
    assert HEADER.unpack_from(sent) == (21, 16, NLM_F_REQUEST | NLM_F_ACK | 0x400, 1, 0)
    assert HEADER.unpack_from(sent, 24) == (16, 16, NLM_F_REQUEST | NLM_F_ACK | 0x400, 2, 0)


def test_nothing_to_ask_is_nothing_sent() -> None:
    kernel = Kernel()
    socket_to(kernel).send([])
    assert kernel.sent == []


def test_acknowledgements_may_come_one_by_one() -> None:
    socket_to(Kernel(acknowledgement(1), acknowledgement(2))).send([request(), request()])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("", "the kernel refused to make the second: File exists"),
        ("already assigned", "the kernel refused to make the second: File exists (already assigned)"),
    ],
)
def test_a_refusal_names_the_request_in_words(words: str, text: str) -> None:
    kernel = Kernel(acknowledgement(1) + acknowledgement(2, errno.EEXIST, words) + acknowledgement(3, errno.EPERM))
    requests = [request(what=f"make the {which}") for which in ("first", "second", "third")]
    with pytest.raises(NetlinkError) as refusal:
        socket_to(kernel).send(requests)
    assert str(refusal.value) == text
    assert refusal.value.code == errno.EEXIST


def test_sequence_numbers_go_on_after_a_batch() -> None:
    made = socket_to(Kernel(acknowledgement(1), acknowledgement(2, errno.EPERM)))
    made.send([request()])
    with pytest.raises(NetlinkError, match="refused to go on"):
        made.send([request(what="go on")])


def test_a_dump_is_gathered_until_its_end() -> None:
    kernel = Kernel(message(24, b"one!") + message(24, b"two!"), message(24, b"three"), message(NLMSG_DONE, bytes(4)))
    assert socket_to(kernel).dump(26, b"?", what="list") == [b"one!", b"two!", b"three"]
    assert HEADER.unpack_from(kernel.sent[0])[2] == NLM_F_REQUEST | NLM_F_DUMP


@pytest.mark.parametrize(("code", "text"), [(errno.EPERM, "Operation not permitted"), (0, "Input/output error")])
def test_a_refused_dump_is_an_error(code: int, text: str) -> None:
    with pytest.raises(NetlinkError, match=f"the kernel refused to list the links: {text}"):
        socket_to(Kernel(acknowledgement(1, code))).dump(26, b"", what="list the links")


def test_one_object_is_got_or_refused() -> None:
    assert socket_to(Kernel(message(44, b"filter"))).get(46, b"", what="read it") == b"filter"
    with pytest.raises(NetlinkError, match="refused to read it: No such file or directory"):
        socket_to(Kernel(acknowledgement(1, errno.ENOENT))).get(46, b"", what="read it")


@given(st.sampled_from([NLM_F_ACK_TLVS, NLM_F_ACK_TLVS | NLM_F_CAPPED, 0]), st.binary(min_size=20, max_size=100))
def test_any_acknowledgement_is_explained_or_not(flags: int, body: bytes) -> None:
    assert isinstance(_explanation(flags, body), str)
