"""A stream of data packets and acknowledgements whose sequence numbers wrap, as a capture file and as a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.capture import Flow, read_capture
from tests.capture.frames import CLIENT, SERVER, START_US, Stamped, options, pcap, tcp

if TYPE_CHECKING:
    from pathlib import Path

START = 2**32 - 3000  # sequence numbers wrap after three segments


def read(tmp_path: Path, packets: list[bytes]) -> Flow:
    path = tmp_path / "flow.pcap"
    path.write_bytes(pcap([Stamped(START_US + i * 1000, packet) for i, packet in enumerate(packets)], link_type=101))
    (flow,) = read_capture(path).flows
    return flow


def data(number: int, *, size: int = 1000, length: int | None = None) -> bytes:
    return tcp(SERVER, CLIENT, seq=START + number * size, payload=bytes(length or size))


def acknowledge(number: int, *blocks: tuple[int, int], size: int = 1000) -> bytes:
    sacks = tuple((START + first * size, START + last * size) for first, last in blocks)
    return tcp(ack=START + number * size, tcp_options=options(sacks=sacks))
