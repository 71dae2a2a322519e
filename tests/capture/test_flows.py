from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capture import ACK, read_capture
from tests.capture.frames import CLIENT, SERVER, START_US, SYN, Stamped, client_hello, ethernet, options, pcap, tcp
from tests.capture.stream import acknowledge, data, read

if TYPE_CHECKING:
    from pathlib import Path


def connection(isn: int, name: str, size: int) -> list[bytes]:
    hello = client_hello(name)
    server_isn = isn + 7
    return [
        tcp(seq=isn, flags=SYN),
        tcp(SERVER, CLIENT, seq=server_isn, ack=isn + 1, flags=SYN | 0x10),
        tcp(seq=isn + 1, ack=server_isn + 1, payload=hello),
        *(
            tcp(SERVER, CLIENT, seq=server_isn + 1 + at, ack=isn + 1 + len(hello), payload=bytes(1000))
            for at in range(0, size, 1000)
        ),
    ]


def flows_of(path: Path, frames: list[bytes]) -> list[tuple[str | None, int]]:
    path.write_bytes(pcap([Stamped(START_US + i, ethernet(frame)) for i, frame in enumerate(frames)]))
    return [(flow.server_name, int(flow.payload[~flow.from_a].sum())) for flow in read_capture(path).flows]


def test_a_five_tuple_used_twice_is_two_connections(tmp_path: Path) -> None:
    frames = connection(1000, "twitter.com", 5000) + connection(3_000_000_000, "example.org", 7000)
    assert flows_of(tmp_path / "a.pcap", frames) == [("twitter.com", 5000), ("example.org", 7000)]


def test_a_repeated_syn_is_no_new_connection(tmp_path: Path) -> None:
    frames = connection(1000, "twitter.com", 5000)
    assert flows_of(tmp_path / "a.pcap", frames[:1] + frames) == [("twitter.com", 5000)]


def test_a_forged_syn_in_the_middle_is_no_new_connection(tmp_path: Path) -> None:
    frames = connection(1000, "twitter.com", 5000)
    assert flows_of(tmp_path / "a.pcap", [*frames[:4], tcp(seq=77, flags=SYN), *frames[4:]]) == [("twitter.com", 5000)]


def test_connections_opened_from_the_other_end_next_are_told_apart(tmp_path: Path) -> None:
    back = [
        tcp(SERVER, CLIENT, seq=900, flags=SYN),
        tcp(CLIENT, SERVER, seq=800, ack=901, flags=SYN | 0x10),
        tcp(SERVER, CLIENT, seq=901, ack=801, payload=b"x" * 10),
    ]
    assert len(flows_of(tmp_path / "a.pcap", connection(1000, "twitter.com", 5000) + back)) == 2


def test_sequence_numbers_grow_across_the_wrap(tmp_path: Path) -> None:
    flow = read(tmp_path, [data(i) for i in range(6)] + [acknowledge(6, (7, 8))])
    assert np.diff(flow.seq[:6]).tolist() == [1000] * 5
    assert flow.ack[6] == flow.seq[0] + 6000
    assert (flow.sack_start[0], flow.sack_end[0]) == (flow.seq[0] + 7000, flow.seq[0] + 8000)


def test_the_opener_is_told_by_the_syn(tmp_path: Path) -> None:
    assert read(tmp_path, [tcp(flags=SYN), tcp(SERVER, CLIENT, flags=SYN | ACK)]).a_is_client
    assert not read(tmp_path, [tcp(SERVER, CLIENT, flags=SYN | ACK), tcp()]).a_is_client


@pytest.mark.parametrize(
    ("packets", "is_client"),
    [
        ([tcp(), tcp(SERVER, CLIENT)], True),  # no SYN: the higher port is the client's
        ([tcp(SERVER, CLIENT), tcp()], False),
        ([tcp((CLIENT[0], 5), (SERVER[0], 5))], True),
        ([tcp(), tcp(SERVER, CLIENT, flags=SYN)], False),  # the SYN goes before the ports
    ],
)
def test_without_a_syn_the_ports_tell_who_opened(tmp_path: Path, packets: list[bytes], *, is_client: bool) -> None:
    assert read(tmp_path, packets).a_is_client is is_client


def test_flows_come_in_the_order_of_their_first_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    ports = [9, 7, 8, 7, 9]
    path.write_bytes(pcap([Stamped(START_US, tcp((CLIENT[0], port), seq=port)) for port in ports], link_type=101))
    flows = read_capture(path).flows
    assert [(flow.a[1], flow.index.tolist()) for flow in flows] == [(9, [0, 4]), (7, [1, 3]), (8, [2])]


def test_rows_taken_out_of_a_flow_keep_their_blocks(tmp_path: Path) -> None:
    first, second = options(sacks=((10, 20),)), options(sacks=((30, 40), (50, 60)))
    flow = read(tmp_path, [tcp(ack=1, tcp_options=first), tcp(ack=1), tcp(ack=1, tcp_options=second)])
    taken = flow.take(np.array([2, 0]))
    assert taken.sack_count.tolist() == [2, 1]
    assert (taken.sack_start - taken.ack[0] + 1).tolist() == [30, 50, 10]
    assert (taken.a, taken.server_name) == (flow.a, flow.server_name)


@given(
    start=st.integers(0, 2**32 - 1),
    steps=st.lists(st.tuples(st.booleans(), st.integers(-(2**30), 2**30)), min_size=1, max_size=30),
)
def test_numbers_without_wraparound_are_those_of_the_wire_and_never_jump(
    tmp_path_factory: pytest.TempPathFactory, start: int, steps: list[tuple[bool, int]]
) -> None:
    """Both ends' numbers of one direction, in any mixture, each less than half the space from the one before."""
    packets, number = [], start
    for is_ack, step in steps:
        number += step
        packets.append(tcp(SERVER, CLIENT, ack=number) if is_ack else tcp(seq=number, flags=0))
    flow = read(tmp_path_factory.mktemp("a"), packets)
    sender = (flow.a == CLIENT) == flow.from_a
    wide = np.where(sender, flow.seq, flow.ack)
    assert [int(each) % 2**32 for each in wide] == [
        (start + sum(step for _, step in steps[: place + 1])) % 2**32 for place in range(len(steps))
    ]
    assert np.diff(wide).tolist() == [step for _, step in steps[1:]]
