from __future__ import annotations

import pytest
from aioquic.buffer import Buffer  # type: ignore[attr-defined]
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion, pull_quic_header
from aioquic.tls import pull_client_hello

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.quic import QuicReader
from testbed.traffic.evasion.quic import Quic
from testbed.traffic.hello import handshake_message

VERSIONS = {1: QuicProtocolVersion.VERSION_1, 2: QuicProtocolVersion.VERSION_2}


@pytest.mark.parametrize("version", [1, 2])
def test_another_implementation_decrypts_it(version: int) -> None:
    [datagram] = Quic(version=version).passage("twitter.com").datagrams
    assert len(datagram) == 1200
    buffer = Buffer(data=datagram)
    header = pull_quic_header(buffer, host_cid_length=8)
    assert header.version == VERSIONS[version]
    pair = CryptoPair()
    pair.setup_initial(cid=header.destination_cid, is_client=False, version=VERSIONS[version])
    _, plain, number = pair.decrypt_packet(datagram, buffer.tell(), 0)
    assert number == 0
    crypto = Buffer(data=plain)
    assert (crypto.pull_uint_var(), crypto.pull_uint_var()) == (6, 0)
    hello = pull_client_hello(Buffer(data=crypto.pull_bytes(crypto.pull_uint_var())))
    assert hello.server_name == "twitter.com"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("datagrams", [1, 2, 3, 8])
def test_a_reader_of_all_datagrams_finds_the_name(version: int, datagrams: int) -> None:
    reader = QuicReader()
    sent = Quic(version=version, datagrams=datagrams).passage("twitter.com").datagrams
    results = [reader.read(each) for each in sent]
    assert len(sent) == datagrams
    assert results[:-1] == [Outcome.NEED_MORE] * (datagrams - 1)
    assert isinstance(results[-1], Hello)
    assert results[-1].name == "twitter.com"


def test_the_message_has_no_record_header() -> None:
    message = handshake_message("twitter.com", transport_parameters=b"\x0f\x00")
    assert message[0] == 1
    assert int.from_bytes(message[1:4], "big") == len(message) - 4
