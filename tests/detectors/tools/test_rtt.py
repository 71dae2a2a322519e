from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.capture import read_capture
from testbed.detectors.tools.rtt import data_side, rtt_by_packet, rtt_samples, sent_data
from tests.capture.frames import CLIENT, SERVER, START_US, Stamped, options, pcap, tcp

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.capture import Flow

START = 5000


def data(number: int) -> bytes:
    return tcp(SERVER, CLIENT, seq=START + 1000 * number, ack=1, payload=bytes(1000))


def ack(number: int, *blocks: tuple[int, int]) -> bytes:
    sacks = tuple((START + 1000 * first, START + 1000 * last) for first, last in blocks)
    return tcp(seq=1, ack=START + 1000 * number, tcp_options=options(sacks=sacks))


def flow_of(path: Path, packets: list[tuple[int, bytes]]) -> Flow:
    """A capture at the server: packets at so many milliseconds."""
    path.write_bytes(pcap([Stamped(START_US + 1000 * ms, packet) for ms, packet in packets], link_type=101))
    (flow,) = read_capture(path).flows
    return flow


def test_a_packet_is_timed_to_what_acknowledges_it(tmp_path: Path) -> None:
    flow = flow_of(tmp_path / "a.pcap", [(0, data(0)), (1, data(1)), (50, ack(1)), (81, ack(2))])
    times, rtts = rtt_samples(flow, sent_data(flow))
    assert rtts.tolist() == pytest.approx([0.050, 0.080])
    assert (times - times[0]).tolist() == pytest.approx([0.0, 0.001], abs=1e-6)


def test_a_packet_that_was_repeated_is_not_timed_nor_is_its_repetition(tmp_path: Path) -> None:
    """Karn's rule: nobody knows which of the two was acknowledged."""
    packets = [(0, data(0)), (1, data(1)), (50, ack(0, (1, 2))), (300, data(0)), (350, ack(2))]
    flow = flow_of(tmp_path / "a.pcap", packets)
    rtts = rtt_by_packet(flow, sent_data(flow))
    assert np.isnan(rtts).tolist() == [True, False, True]
    assert rtts[1] == pytest.approx(0.049)  # a packet behind a hole is acknowledged by SACK at once


def test_what_nothing_acknowledges_and_what_a_clock_denies_is_not_timed(tmp_path: Path) -> None:
    flow = flow_of(tmp_path / "a.pcap", [(0, data(0)), (10, ack(1)), (20, data(1))])
    assert np.isnan(rtt_by_packet(flow, sent_data(flow))).tolist() == [False, True]
    back = replace(flow, t_ns=flow.t_ns - np.array([0, 10**9, 0]))  # the clock jumped before the acknowledgement
    assert np.isnan(rtt_by_packet(back, sent_data(back))).all()


def test_the_data_are_what_the_side_with_more_payload_sent(tmp_path: Path) -> None:
    request = tcp(CLIENT, SERVER, seq=1, payload=bytes(100))
    assert data_side(flow_of(tmp_path / "a.pcap", [(0, request), (1, data(0))])) is False
    assert data_side(flow_of(tmp_path / "b.pcap", [(0, data(0)), (1, request)])) is True
