"""The hello in QUIC Initial packets, versions 1 and 2, in one datagram or in CRYPTO frames over several.

Made here rather than with a QUIC library: what counts is what a box can read on the way, and that any of it can be
changed. The keys are the box's (RFC 9001, section 5.2). The far end answers with datagrams that are no QUIC.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.middlebox.recognise.quic import client_keys
from testbed.middlebox.recognise.quic_cipher import encrypt, encrypt_block
from testbed.traffic.conversation import DatagramPassage
from testbed.traffic.hello import handshake_message, reproducible
from testbed.traffic.options import option, whole

__all__ = ["Quic", "first_flight", "initial_packet"]

_DATAGRAM_BYTES = 1200  # the least for a client's Initial: RFC 9000, section 14.1
_TAG_BYTES = 16
_NUMBER_BYTES = 4
_SAMPLE_AT, _SAMPLE_BYTES = 4, 16
_VERSIONS = {1: 0x00000001, 2: 0x6B3343CF}  # RFC 9000, RFC 9369
_FIRST_BYTE = {1: 0xC3, 2: 0xD3}  # long header, Initial, packet number of 4 bytes
_CRYPTO = b"\x06"
_CONNECTION_ID_PARAMETER = 0x0F


@dataclass(frozen=True, slots=True)
class Quic:
    """A client's first flight. Of more than four datagrams, a box with a small budget may not look at the last."""

    version: int = option(1, whole(1, 2), "of QUIC: 1 or 2")
    datagrams: int = option(1, whole(1, 8), "over which the hello's CRYPTO frames are spread")

    def passage(self, name: str) -> DatagramPassage:
        """Send the hello in QUIC Initial packets."""
        return DatagramPassage(first_flight(name, version=self.version, datagrams=self.datagrams, seed=self.version))


def first_flight(name: str, *, version: int, datagrams: int, seed: int) -> tuple[bytes, ...]:
    """Return the datagrams of a hello; its connection IDs follow from the seed."""
    random = reproducible(seed)
    source, destination = random.randbytes(8), random.randbytes(8)
    parameter = bytes([_CONNECTION_ID_PARAMETER, len(source)]) + source
    message = handshake_message(name, transport_parameters=parameter)
    size = -(-len(message) // datagrams)
    pieces = [(at, message[at : at + size]) for at in range(0, len(message), size)]
    return tuple(
        initial_packet(version, destination, source, number, frame(at, piece))
        for number, (at, piece) in enumerate(pieces)
    )


def frame(offset: int, data: bytes) -> bytes:
    """Return a CRYPTO frame."""
    return _CRYPTO + _number(offset) + _number(len(data)) + data


def initial_packet(version: int, destination: bytes, source: bytes, number: int, frames: bytes) -> bytes:
    """Return a protected Initial packet that fills a datagram of 1200 bytes (RFC 9001, section 5).

    Args:
        version: 1 or 2.
        destination: Connection ID of the server, from which the keys follow.
        source: Connection ID of the client.
        number: Of the packet.
        frames: Its payload; padding is added.
    """
    keys = client_keys(_VERSIONS[version], destination)
    head = bytes([_FIRST_BYTE[version]]) + _VERSIONS[version].to_bytes(4, "big")
    head += bytes([len(destination)]) + destination + bytes([len(source)]) + source + b"\x00"  # no token
    rest = _DATAGRAM_BYTES - len(head) - 2
    header = head + (0x4000 | rest).to_bytes(2, "big") + number.to_bytes(_NUMBER_BYTES, "big")
    plain = frames.ljust(rest - _NUMBER_BYTES - _TAG_BYTES, b"\x00")
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(len(keys.iv), "big")
    protected = encrypt(keys.key, nonce, plain, header)
    packet = bytearray(header + protected)
    number_at = len(header) - _NUMBER_BYTES
    sample = bytes(packet[number_at + _SAMPLE_AT : number_at + _SAMPLE_AT + _SAMPLE_BYTES])
    mask = encrypt_block(keys.header_protection, sample)
    packet[0] ^= mask[0] & 0x0F
    for index in range(_NUMBER_BYTES):
        packet[number_at + index] ^= mask[1 + index]
    return bytes(packet)


def _number(value: int) -> bytes:
    """Return a variable-length integer of two bytes (RFC 9000, section 16)."""
    return (0x4000 | value).to_bytes(2, "big")
