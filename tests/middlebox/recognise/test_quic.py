from __future__ import annotations

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.quic import QuicReader, client_keys, recognise_version1

VERSION_1, VERSION_2 = 0x00000001, 0x6B3343CF


def initials(name: str | None = "rr1.googlevideo.com", version: int = VERSION_1, *, protocols: int = 1) -> list[bytes]:
    """The datagrams with which aioquic begins a connection; many application protocols make the hello long."""
    configuration = QuicConfiguration(
        is_client=True,
        server_name=name,
        alpn_protocols=["h3"] + ["x" * 200] * (protocols - 1),
        original_version=version,
        supported_versions=[QuicProtocolVersion(version)],
    )
    connection = QuicConnection(configuration=configuration)
    connection.connect(("192.0.2.1", 443), now=0.0)
    return [data for data, _ in connection.datagrams_to_send(now=0.0)]


ONE = initials()
MANY = initials(protocols=14)


def name_of(datagrams: list[bytes]) -> list[object]:
    reader = QuicReader()
    results = [reader.read(each) for each in datagrams]
    return [result.name if isinstance(result, Hello) else result for result in results]


@pytest.mark.parametrize(
    ("version", "key", "iv", "header_protection"),
    [  # RFC 9001 appendix A.1, RFC 9369 appendix A.1
        (VERSION_1, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"),
        (VERSION_2, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"),
    ],
)
def test_keys_are_those_of_the_standards(version: int, key: str, iv: str, header_protection: str) -> None:
    keys = client_keys(version, bytes.fromhex("8394c8f03e515708"))
    assert [each.hex() for each in keys] == [key, iv, header_protection]


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
def test_reads_the_name_that_aioquic_asks_for(version: int) -> None:
    assert name_of(initials("twitter.com", version)) == ["twitter.com"]


def test_a_hello_without_name_is_a_hello_without_name() -> None:
    hello = QuicReader().read(initials(None)[0])
    assert isinstance(hello, Hello)
    assert hello[:4] == ("quic", None, 0, 0)
    assert 57 in hello.extensions  # quic_transport_parameters


def test_a_hello_over_several_datagrams_needs_them_all() -> None:
    assert len(MANY) > 2
    assert name_of(MANY) == [Outcome.NEED_MORE] * (len(MANY) - 1) + ["rr1.googlevideo.com"]


@pytest.mark.parametrize("order", [slice(None, None, -1), slice(None)])
def test_datagrams_may_come_in_any_order_and_twice(order: slice) -> None:
    datagrams = [each for each in MANY[order] for _ in range(2)]
    assert name_of(datagrams)[-1] == "rr1.googlevideo.com"


def test_datagrams_of_another_connection_do_not_help() -> None:
    results = name_of([MANY[0], *ONE])
    assert results == [Outcome.NEED_MORE, Outcome.NEED_MORE] or results[1] == "rr1.googlevideo.com"


@pytest.mark.parametrize("offset", range(0, 1200, 7))
def test_a_flipped_byte_makes_it_unreadable_or_leaves_the_name(offset: int) -> None:
    data = ONE[0]
    flipped = data[:offset] + bytes([data[offset] ^ 0xFF]) + data[offset + 1 :]
    assert name_of([flipped])[0] in {Outcome.NOT_THIS, "rr1.googlevideo.com"}


@pytest.mark.parametrize("size", [0, 1, 5, 6, 14, 20, 50, 200])
def test_a_cut_datagram_is_not_read(size: int) -> None:
    assert name_of([ONE[0][:size]]) == [Outcome.NOT_THIS]


@pytest.mark.parametrize("payload", [b"\xc3\x00\x00\x00\x09" + bytes(1200), b"\x43" + bytes(1200), bytes(1200)])
def test_other_versions_and_short_headers_are_not_read(payload: bytes) -> None:
    assert name_of([payload]) == [Outcome.NOT_THIS]


@given(st.binary(max_size=100), st.sampled_from([b"", b"\xc3\x00\x00\x00\x01\x08" + bytes(8)]))
def test_any_bytes_have_a_result(tail: bytes, start: bytes) -> None:
    assert isinstance(QuicReader().read(start + tail), Hello | Outcome)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (ONE[0], Outcome.VALID),
        (ONE[0][:1001], Outcome.VALID),
        (ONE[0][:1000], Outcome.NOT_THIS),
        (initials(version=VERSION_2)[0], Outcome.NOT_THIS),
        (b"\x43" + bytes(1200), Outcome.NOT_THIS),
        (b"", Outcome.NOT_THIS),
    ],
    ids=["initial", "1001 bytes", "1000 bytes", "version 2", "short header", "empty"],
)
def test_the_boxes_of_2022_told_quic_by_version_and_size(payload: bytes, expected: Outcome) -> None:
    assert recognise_version1(payload) is expected
