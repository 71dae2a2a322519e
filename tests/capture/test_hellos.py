from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import read_capture
from tests.capture.frames import START_US, SYN, Stamped, client_hello, ethernet, pcap, tcp

if TYPE_CHECKING:
    from pathlib import Path

HELLO = client_hello("abs.twimg.com")
CHANGE_CIPHER_SPEC = bytes.fromhex("140303000101")


def two_records(at: int) -> bytes:
    message = HELLO[5:]
    return b"".join(HELLO[:3] + len(part).to_bytes(2) + part for part in (message[:at], message[at:]))


def name_of(path: Path, payloads: list[tuple[int, bytes]], *, chunk_bytes: int = 1 << 20) -> str | None:
    """The name of the connection that carries these payloads, each at a sequence number behind the SYN's."""
    frames = [tcp(seq=2**32 - 40, flags=SYN)]
    frames += [tcp(seq=2**32 - 39 + seq, payload=payload) for seq, payload in payloads]
    path.write_bytes(pcap([Stamped(START_US + i, ethernet(frame)) for i, frame in enumerate(frames)]))
    (flow,) = read_capture(path, chunk_bytes=chunk_bytes).flows
    return flow.server_name


STREAMS = {
    "whole": HELLO,
    "behind another record": CHANGE_CIPHER_SPEC + HELLO,
    "in two records": two_records(60),
    "in two records, the first of one byte": two_records(1),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_hello_is_read_wherever_segments_are_cut(tmp_path: Path, name: str) -> None:
    stream = STREAMS[name]
    for at in range(1, len(stream), 7):
        payloads = [(0, stream[:at]), (at, stream[at:])]
        assert name_of(tmp_path / "a.pcap", payloads) == "abs.twimg.com"
        assert name_of(tmp_path / "a.pcap", payloads[::-1]) == "abs.twimg.com"


def test_a_hello_sent_byte_by_byte_is_read_across_chunks(tmp_path: Path) -> None:
    payloads = [(at, HELLO[at : at + 1]) for at in range(len(HELLO))]
    assert name_of(tmp_path / "a.pcap", payloads, chunk_bytes=1024) == "abs.twimg.com"


@pytest.mark.parametrize("first", [b"\xaa" * 101, b"CONNECT abs.twimg.com:443 HTTP/1.1\r\n\r\n", b"\x05\x01\x00"])
def test_a_hello_behind_something_else_is_read(tmp_path: Path, first: bytes) -> None:
    assert name_of(tmp_path / "a.pcap", [(0, first), (len(first), HELLO)]) == "abs.twimg.com"


def test_a_retransmission_in_other_pieces_does_no_harm(tmp_path: Path) -> None:
    payloads = [(0, HELLO[:50]), (0, HELLO[:80]), (30, HELLO[30:100]), (90, HELLO[90:])]
    assert name_of(tmp_path / "a.pcap", payloads) == "abs.twimg.com"


def test_a_server_hello_and_plain_data_name_nothing(tmp_path: Path) -> None:
    server_hello = b"\x16\x03\x03" + (4 + 40).to_bytes(2) + b"\x02" + (40).to_bytes(3) + bytes(40)
    assert name_of(tmp_path / "a.pcap", [(0, server_hello)]) is None
    assert name_of(tmp_path / "a.pcap", [(0, b"GET / HTTP/1.1\r\n\r\n")]) is None


@given(cuts=st.lists(st.integers(1, len(HELLO) - 1), max_size=6), order=st.randoms(), offset=st.integers(0, 2))
def test_segments_in_any_order_give_the_name(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], order: object, offset: int
) -> None:
    edges = sorted({0, *cuts, len(HELLO)})
    payloads = [(a, HELLO[max(0, a - offset if a else 0) : b]) for a, b in itertools.pairwise(edges)]
    payloads = [(max(0, a - offset if a else 0), data) for a, data in payloads]
    order.shuffle(payloads)  # type: ignore[attr-defined]
    assert name_of(tmp_path_factory.mktemp("a") / "a.pcap", payloads) == "abs.twimg.com"
