from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.tls.handshake import TLSClientHello

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.tls import join_records, recognise, recognise_message
from tests.middlebox.build import (
    CHANGE_CIPHER_SPEC,
    client_hello,
    extended,
    extensions_length_offset,
    padded,
    split_record,
)

HELLO = client_hello("twitter.com")
NAME_AT = HELLO.index(b"twitter.com")


def name_of(payload: bytes) -> str | None:
    result = recognise(payload)
    return result.name if isinstance(result, Hello) else None


def of_name(result: object) -> object:
    """What a hello says of its name alone."""
    return result._replace(extensions=frozenset()) if isinstance(result, Hello) else result


def damaged(offset: int, size: int = 1) -> bytes:
    """Bit-inverted as X21 did."""
    inverted = bytes(byte ^ 0xFF for byte in HELLO[offset : offset + size])
    return HELLO[:offset] + inverted + HELLO[offset + size :]


def with_number(offset: int, size: int, change: int) -> bytes:
    value = int.from_bytes(HELLO[offset : offset + size], "big") + change
    return HELLO[:offset] + value.to_bytes(size, "big") + HELLO[offset + size :]


def test_finds_the_name_and_where_it_stands() -> None:
    assert of_name(recognise(HELLO)) == Hello("tls", "twitter.com", NAME_AT, len("twitter.com"))


def test_a_hello_without_server_name_is_a_hello_without_name() -> None:
    assert of_name(recognise(client_hello(None))) == Hello("tls", None, 0, 0)


def test_a_hello_without_extensions_is_a_hello_without_name() -> None:
    body = bytes.fromhex("0303") + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0"
    handshake = b"\1" + len(body).to_bytes(3, "big") + body
    assert recognise(b"\x16\3\1" + len(handshake).to_bytes(2, "big") + handshake) == Hello("tls", None, 0, 0)


def test_tells_the_extensions_before_and_behind_the_name() -> None:
    hello = recognise(extended(HELLO, {0xFE0D: b"\0" * 8, 5: b"\1\0\0\0\0"}))
    assert isinstance(hello, Hello)
    assert {0, 0xFE0D, 5} <= hello.extensions
    assert hello.extensions - {0xFE0D, 5} == recognise(HELLO).extensions  # type: ignore[union-attr]  # a hello, above


@given(st.binary(max_size=60))
def test_what_stands_behind_the_name_hides_it_from_nobody(noise: bytes) -> None:
    at = NAME_AT + len("twitter.com")
    payload = HELLO[:at] + noise[: len(HELLO) - at] + HELLO[at + len(noise[: len(HELLO) - at]) :]
    assert name_of(payload) == "twitter.com"


def test_reads_every_name_that_scapy_reads() -> None:
    parsed = TLSClientHello(HELLO[5:])  # type: ignore[no-untyped-call]
    names = [each.servername.decode() for ext in parsed.ext if ext.type == 0 for each in ext.servernames]
    assert names == [name_of(HELLO)]


def test_a_name_of_any_bytes_is_readable() -> None:
    hostile = HELLO.replace(b"twitter.com", bytes([0, 255, 10, 13, 34, 92, 128, 200, 39, 60, 127]))
    assert name_of(hostile) == "\x00\xff\n\r\"\\\x80\xc8'<\x7f"


def test_padding_beyond_one_packet_needs_more() -> None:
    assert name_of(padded(HELLO, 1460)) == "twitter.com"
    assert recognise(padded(HELLO, 1600)[:1460]) is Outcome.NEED_MORE


def test_another_record_first_hides_the_hello() -> None:
    assert recognise(CHANGE_CIPHER_SPEC + HELLO) is Outcome.VALID


def test_a_hello_in_two_records_is_a_valid_record_without_name() -> None:
    assert recognise(split_record(HELLO, 30)) is Outcome.VALID


def test_bytes_after_the_record_do_not_hide_the_hello() -> None:
    assert name_of(HELLO + b"\x17\x03\x03\x00\x05early") == "twitter.com"


@pytest.mark.parametrize("record_type", [20, 21, 23, 24])
def test_whole_records_of_other_types_are_valid(record_type: int) -> None:
    assert recognise(bytes([record_type, 3, 3, 0, 4]) + b"data") is Outcome.VALID


@pytest.mark.parametrize(
    "payload", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x05\x01\x00\x02ab", b"\x16\x03\x01\x00\x00", b"\x19\x03\x03\x00\x01a"]
)
def test_what_is_no_record_is_not_tls(payload: bytes) -> None:
    assert recognise(payload) is Outcome.NOT_THIS


@pytest.mark.parametrize("size", range(len(HELLO)))
def test_a_hello_cut_anywhere_has_no_name_unless_the_boxes_found_it(size: int) -> None:
    # CP21 has "record length < TCP payload length": the last 4 bytes may be missing if the name is there.
    result = recognise(HELLO[:size])
    if size >= len(HELLO) - 4:
        assert isinstance(result, Hello)
    else:
        assert result is Outcome.NEED_MORE


FIELDS_THAT_MATTER = {
    "content type": damaged(0),
    "record length": damaged(3, 2),
    "record length too long": with_number(3, 2, 5),
    "record length shorter than the handshake": with_number(3, 2, -1),
    "handshake type": damaged(5),
    "handshake length": damaged(6, 3),
    "handshake length by one more": with_number(6, 3, 1),
    "handshake length by one less": with_number(6, 3, -1),
    "session id length": damaged(43),
    "session id length by one": with_number(43, 1, 1),
    "cipher suites length": damaged(44 + HELLO[43], 2),
    "compression methods length": damaged(extensions_length_offset(HELLO) - 2),
    "extensions length": damaged(extensions_length_offset(HELLO), 2),
    "server_name extension type": damaged(NAME_AT - 9, 2),
    "server_name extension length": damaged(NAME_AT - 7, 2),
    "server name list length": damaged(NAME_AT - 5, 2),
    "name type": damaged(NAME_AT - 3),
    "name length": damaged(NAME_AT - 2, 2),
}


@pytest.mark.parametrize("payload", FIELDS_THAT_MATTER.values(), ids=FIELDS_THAT_MATTER)
def test_damage_to_a_field_of_the_walk_hides_the_name(payload: bytes) -> None:
    assert name_of(payload) is None


@pytest.mark.parametrize(
    ("offset", "size"),
    [(1, 2), (9, 2), (11, 32), (44, 32), (78, 4)],
    ids=["version", "version", "random", "id", "cipher"],
)
def test_damage_elsewhere_does_not_hide_the_name(offset: int, size: int) -> None:
    assert name_of(damaged(offset, size)) == "twitter.com"


@pytest.mark.parametrize("offset", range(len(HELLO)))
def test_a_flipped_byte_leaves_the_name_where_it_is_or_hides_it(offset: int) -> None:
    result = recognise(damaged(offset))
    if isinstance(result, Hello) and result.name is not None:
        assert (result.offset, result.length) == (NAME_AT, 11)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_result(payload: bytes) -> None:
    assert isinstance(recognise(payload), Hello | Outcome)


@given(st.integers(0, len(HELLO)), st.lists(st.tuples(st.integers(0, len(HELLO) - 1), st.integers(0, 255)), max_size=6))
def test_any_cut_and_changes_of_a_hello_have_a_result_within_its_bytes(
    size: int, changes: list[tuple[int, int]]
) -> None:
    mutated = bytearray(HELLO)
    for offset, value in changes:
        mutated[offset] = value
    payload = bytes(mutated[:size])
    result = recognise(payload)
    if isinstance(result, Hello) and result.name is not None:
        assert payload[result.offset : result.offset + result.length] == result.name.encode("latin-1")


@pytest.mark.parametrize("at", [1, 4, 100, len(HELLO) - 6])
def test_joined_records_are_one_record_again(at: int) -> None:
    assert join_records(split_record(HELLO, at)) == HELLO
    assert join_records(HELLO) == HELLO


@pytest.mark.parametrize("size", range(0, len(HELLO) + 5, 13))
def test_an_incomplete_message_is_not_joined(size: int) -> None:
    part = split_record(HELLO, 100)[:size]
    assert join_records(part) == part


def test_a_bare_message_is_read_as_in_a_record() -> None:
    assert of_name(recognise_message(HELLO[5:])) == Hello("tls", "twitter.com", NAME_AT - 5, 11)
    assert recognise_message(HELLO[5:-1]) is Outcome.VALID
    assert recognise_message(b"") is Outcome.NOT_THIS
