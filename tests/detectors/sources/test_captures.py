from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.detectors.observation import Direction, Ending
from testbed.detectors.sources.observe import observe
from tests.capture.frames import (
    FIN,
    RST,
    Stamped,
)
from tests.detectors.files import RTT_US, connection, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("at_server", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_a_capture_tells_direction_end_and_times(tmp_path: Path, *, at_server: bool, up: bool) -> None:
    path = write(tmp_path / "one.pcap", connection(at_server=at_server, up=up))
    (found,) = observe([path]).transfers
    assert found.direction is (Direction.UP if up else Direction.DOWN)
    assert (found.sender_flow is not None) == (at_server != up)
    assert (found.receiver_flow is not None) == (at_server == up)
    assert (found.server_name, found.ending) == ("abs.twimg.com", Ending.COMPLETE)
    assert found.connect_s == pytest.approx(RTT_US / 1e6)
    assert found.total_bytes == (10_599 if up else 10_000)


def test_a_connection_captured_at_both_ends_is_one_transfer(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "server.pcap", connection(at_server=True)),
        write(tmp_path / "client.pcap", connection(at_server=False)),
    ]
    (found,) = observe(paths).transfers
    assert found.sender_flow is not None
    assert found.receiver_flow is not None


def test_without_a_handshake_the_answers_tell_where_the_capture_was_taken(tmp_path: Path) -> None:
    for at_server in (True, False):
        path = write(tmp_path / f"{at_server}.pcap", connection(at_server=at_server)[4:])
        (found,) = observe([path]).transfers
        assert (found.sender_flow is not None) == at_server


@pytest.mark.parametrize(("flag", "ending"), [(FIN, Ending.COMPLETE), (RST, Ending.RESET), (0, Ending.UNKNOWN)])
def test_the_last_flags_tell_the_ending(tmp_path: Path, flag: int, ending: Ending) -> None:
    path = write(tmp_path / "one.pcap", connection(at_server=True, end=flag))
    assert observe([path]).transfers[0].ending is ending


def test_a_clock_that_jumps_back_is_remarked_and_held(tmp_path: Path) -> None:
    packets = connection(at_server=True)
    packets[12:] = [Stamped(packet.t_us - 10**7, packet.frame) for packet in packets[12:]]
    observed = observe([write(tmp_path / "jump.pcap", packets)])
    assert any("jumps back" in note for note in observed.notes)
    assert (np.diff(observed.transfers[0].times_s) >= 0).all()


def test_packets_captured_twice_are_counted_once_and_retransmissions_stay(tmp_path: Path) -> None:
    packets = connection(at_server=True)
    once = observe([write(tmp_path / "once.pcap", packets)])
    twice = observe([write(tmp_path / "twice.pcap", [copy for packet in packets for copy in (packet, packet)])])
    assert any(f"{len(packets)} packets captured twice" in note for note in twice.notes)
    assert once.transfers[0].sender_flow is not None
    assert twice.transfers[0].sender_flow is not None
    assert len(twice.transfers[0].sender_flow) == len(packets)
    assert np.array_equal(twice.transfers[0].sender_flow.seq, once.transfers[0].sender_flow.seq)
    again = [Stamped(packet.t_us + 5000, packet.frame) for packet in packets]
    late = observe([write(tmp_path / "late.pcap", sorted([*packets, *again], key=lambda packet: packet.t_us))])
    assert not any("twice" in note for note in late.notes)


def test_the_earlier_syn_decides_whose_capture_it_is(tmp_path: Path) -> None:
    """A client that is slow to acknowledge looks like a server by itself."""
    client, server = connection(at_server=False), connection(at_server=True)
    late = [Stamped(item.t_us + (400_000 if place > 1 else 0), item.frame) for place, item in enumerate(client)]
    paths = [write(tmp_path / "server.pcap", server), write(tmp_path / "client.pcap", late)]
    (found,) = observe(paths).transfers
    assert found.sender_flow is not None
    assert found.receiver_flow is not None
    assert found.receiver_flow.t_ns[0] < found.sender_flow.t_ns[0]


def test_the_same_view_twice_is_told(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, connection(at_server=True)) for name in ("a.pcap", "b.pcap")]
    observed = observe(paths)
    assert len(observed.transfers) == 1
    assert any("the same view" in note for note in observed.notes)


@pytest.mark.parametrize("with_syn", [True, False])
def test_first_segments_out_of_order_lose_no_byte(tmp_path: Path, *, with_syn: bool) -> None:
    packets = connection(at_server=True)
    data = [place for place, item in enumerate(packets) if len(item.frame) > 1000]
    first, second = data[0], data[1]
    packets[first], packets[second] = (
        Stamped(packets[first].t_us, packets[second].frame), Stamped(packets[second].t_us, packets[first].frame),
    )  # fmt: skip
    (found,) = observe([write(tmp_path / "a.pcap", packets if with_syn else packets[4:])]).transfers
    assert found.total_bytes == 10_000


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_three_copies_of_each_packet_count_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    packets = connection(at_server=True)
    copies = [Stamped(item.t_us + copy * 150 + (place % 2) * 40, item.frame)
              for place, item in enumerate(packets) for copy in order]  # fmt: skip
    path = write(tmp_path / "any.pcap", sorted(copies, key=lambda item: item.t_us))
    (found,) = observe([path]).transfers
    assert found.sender_flow is not None
    assert len(found.sender_flow) == len(packets)
