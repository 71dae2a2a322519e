from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import CaptureError
from testbed.middlebox.adapters.pcap import Row, Sides, inspect_box, inspect_capture
from testbed.middlebox.craft import udp_datagram
from testbed.middlebox.events import Event, FlowForgotten, FlowOpened, PacketDropped, RuleMatched, ThrottlingStarted
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import ACK, SYN, Direction, Packet
from tests.middlebox.build import CHANGE_CIPHER_SPEC, NS_PER_S, Connection, client_hello, profile

if TYPE_CHECKING:
    from pathlib import Path

UP, DOWN = Direction.UP, Direction.DOWN
TWITTER = client_hello("twitter.com")
START_NS = 1_615_363_200 * NS_PER_S


def write(path: Path, packets: list[Packet], times_ns: list[int] | None = None) -> Path:
    """A pcap file of raw IP in nanoseconds; without times, packets are a millisecond apart."""
    out = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)
    for index, packet in enumerate(packets):
        t_ns = START_NS + (index * 1_000_000 if times_ns is None else times_ns[index])
        head = struct.pack("<IIII", t_ns // NS_PER_S, t_ns % NS_PER_S, len(packet.data), len(packet.data))
        out += head + packet.data
    path.write_bytes(out)
    return path


def throttled_download() -> list[Packet]:
    connection = Connection()
    return [*connection.handshake(), connection.up(TWITTER), *(connection.down(bytes(1460)) for _ in range(30))]


def events(rows: list[Row]) -> list[Event]:
    return [event for row in rows for event in row.events]


def test_each_packet_has_a_row_with_its_verdict(tmp_path: Path) -> None:
    packets = throttled_download()
    rows = list(inspect_capture(write(tmp_path / "a.pcap", packets), profile()))
    assert [row.packet for row in rows] == packets
    assert [row.number for row in rows] == list(range(1, len(packets) + 1))
    assert [row.dropped for row in rows[:14]] == [False] * 14
    assert sum(row.dropped for row in rows) > 10


def test_events_bear_the_time_of_the_capture(tmp_path: Path) -> None:
    rows = list(inspect_capture(write(tmp_path / "a.pcap", throttled_download()), profile()))
    (started,) = (event for event in events(rows) if isinstance(event, ThrottlingStarted))
    assert started.t_ns == START_NS + 3_000_000


def test_timers_that_run_out_between_packets_are_told_before_the_next(tmp_path: Path) -> None:
    first, second = Connection(inside_port=1), Connection(inside_port=2)
    path = write(tmp_path / "a.pcap", [first.handshake()[0], second.handshake()[0]], [0, 900 * NS_PER_S])
    rows = list(inspect_capture(path, profile()))
    assert rows[1].events[0] == FlowForgotten(t_ns=START_NS + 600 * NS_PER_S, flow=1, reason="idle")


def test_a_capture_that_steps_back_in_time_is_taken_in_its_order(tmp_path: Path) -> None:
    packets = throttled_download()
    path = write(tmp_path / "a.pcap", packets, [1_000_000 * (index ^ 1) for index in range(len(packets))])
    times = [event.t_ns for event in events(list(inspect_capture(path, profile())))]
    assert times == sorted(times)


payloads = st.sampled_from([b"", CHANGE_CIPHER_SPEC, TWITTER, TWITTER[:200], b"\xaa" * 50, b"\xaa" * 101, bytes(1460)])
traces = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), payloads, st.sampled_from([0, 1_000, 50_000_000, 601 * NS_PER_S])),
    max_size=60,
)


@given(traces, st.integers(0, 100), st.sampled_from(["token_bucket", "coarse_refill"]))
@settings(max_examples=50)
def test_agrees_with_the_pure_model_on_every_packet(
    tmp_path_factory: pytest.TempPathFactory, trace: list[tuple[int, bool, bytes, int]], seed: int, meter: str
) -> None:
    connections = [Connection(inside_port=port) for port in range(4)]
    packets = [packet for each in connections for packet in each.handshake(DOWN if each is connections[3] else UP)]
    times = [0] * len(packets)
    now = 0
    for which, is_up, payload, gap in trace:
        now += gap
        times.append(now)
        packets.append(connections[which].packet(UP if is_up else DOWN, ACK, payload))
    used = profile(meter__kind=meter)
    path = write(tmp_path_factory.mktemp("capture") / "a.pcap", packets, times)
    rows = list(inspect_capture(path, used, seed=seed, inside=["10.0.0.0/8"]))
    model = Inspector(used, seed=seed)
    for row, packet, t_ns in zip(rows, packets, times, strict=True):
        assert row.events == model.expire(START_NS + t_ns) + model.inspect(packet, START_NS + t_ns)


def test_a_capture_cut_short_keeps_its_rows_and_says_where(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", throttled_download())
    path.write_bytes(path.read_bytes()[:-10])
    rows: list[Row] = []
    with pytest.raises(CaptureError, match=r"a\.pcap: the file ends inside the record at byte \d+"):
        rows.extend(inspect_capture(path, profile()))
    assert len(rows) == 33


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"none\.pcap: cannot be read: No such file"):
        list(inspect_capture(tmp_path / "none.pcap", profile()))


@given(st.binary(max_size=200))
def test_datagrams_of_any_bytes_are_taken(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    packets = [*Connection().handshake(), Packet.parse(garbage, UP), Packet.parse(b"\x45" + garbage, UP)]
    path = write(tmp_path_factory.mktemp("capture") / "a.pcap", packets)
    rows = list(inspect_capture(path, profile(), inside=["10.0.0.0/8"]))
    assert len(rows) >= 3


def direction(sides: Sides, packet: Packet) -> Direction | None:
    return sides.direction(packet, 1)


def test_the_first_syn_tells_who_is_inside() -> None:
    sides, connection = Sides(), Connection("192.0.2.1", "10.0.0.1")
    assert [direction(sides, packet) for packet in connection.handshake()] == [UP, DOWN, UP]
    assert direction(sides, connection.down(b"x")) is DOWN


def test_a_later_connection_to_an_inside_address_is_opened_from_outside(tmp_path: Path) -> None:
    ours, theirs = Connection(), Connection(outside="203.0.113.9", inside_port=7, outside_port=50_000)
    packets = [*ours.handshake(), *theirs.handshake(DOWN)]
    opened = [each for each in events(list(inspect_capture(write(tmp_path / "a.pcap", packets), profile())))
              if isinstance(each, FlowOpened)]  # fmt: skip
    assert [(each.inside, each.opened_by) for each in opened] == [("10.0.0.1", "inside"), ("10.0.0.1", "outside")]


def test_a_syn_ack_and_port_443_tell_too() -> None:
    connection = Connection()
    assert direction(Sides(), connection.packet(DOWN, SYN | ACK)) is DOWN
    assert direction(Sides(), connection.packet(DOWN, ACK)) is DOWN
    assert direction(Sides(), connection.packet(UP, ACK)) is UP


def test_what_nothing_tells_is_refused_not_guessed(tmp_path: Path) -> None:
    middle = Connection(outside_port=8080).up(b"x")
    path = write(tmp_path / "a.pcap", [*Connection("10.9.9.9", "192.0.2.9").handshake(), middle])
    rows: list[Row] = []
    message = r"frame 4: cannot tell which of 10\.0\.0\.1 port 40000 and .* --inside"
    with pytest.raises(CaptureError, match=message):
        rows.extend(inspect_capture(path, profile()))
    assert len(rows) == 3
    assert len(list(inspect_capture(path, profile(), inside=["10.0.0.0/8"]))) == 4


def test_packets_within_one_side_do_not_cross_the_box() -> None:
    sides = Sides(["10.0.0.0/8"])
    assert direction(sides, Connection("10.0.0.1", "10.0.0.2").up(b"x")) is None
    assert direction(sides, Connection("192.0.2.1", "192.0.2.2").up(b"x")) is None
    assert direction(sides, Connection("10.0.0.1", "192.0.2.2").up(b"x")) is UP


def test_udp_by_port_443() -> None:
    data = udp_datagram(src=bytes([10, 0, 0, 1]), dst=bytes([192, 0, 2, 1]), sport=443, dport=9, payload=b"x")
    assert direction(Sides(), Packet.parse(data, UP)) is DOWN


def test_what_has_no_ports_goes_by_its_addresses_or_is_left_out() -> None:
    connection = Connection()
    data = connection.up(b"x").data
    icmp = Packet.parse(data[:9] + b"\x01" + data[10:], UP)
    assert direction(Sides(), icmp) is None
    assert direction(Sides(["10.0.0.0/8"]), icmp) is UP
    sides = Sides()
    direction(sides, connection.packet(UP, SYN))
    assert direction(sides, icmp) is UP


def test_captures_on_both_sides_of_a_box_repeat_what_it_did(tmp_path: Path) -> None:
    used = profile()
    box, log = Inspector(used, seed=3), []
    inner: list[tuple[int, Packet]] = []
    outer: list[tuple[int, Packet]] = []
    for index, packet in enumerate(throttled_download()):
        happened = box.inspect(packet, START_NS + index * 1_000_000)
        log += happened
        arrived, left = (inner, outer) if packet.direction is UP else (outer, inner)
        arrived.append((index * 1_000_000, packet))
        if not any(isinstance(event, PacketDropped) for event in happened):
            left.append((index * 1_000_000, packet))
    paths = [
        write(tmp_path / name, [packet for _, packet in side], [t_ns for t_ns, _ in side])
        for name, side in (("inner.pcap", inner), ("outer.pcap", outer))
    ]
    rows = list(inspect_box(paths[0], paths[1], used, seed=3, inside=["10.0.0.0/8"]))
    assert events(rows) == log
    assert any(row.dropped for row in rows)


def test_a_wrong_prefix_is_refused() -> None:
    with pytest.raises(CaptureError, match=r"--inside: .*expected a prefix"):
        Sides(["10.0.0.1/8"])


def test_ipv6_matches_as_well(tmp_path: Path) -> None:
    connection = Connection("2001:db8::1", "2001:db8:1::1")
    path = write(tmp_path / "a.pcap", [*connection.handshake(), connection.up(TWITTER)])
    rows = list(inspect_capture(path, profile(), inside=["2001:db8::/48"]))
    assert [event.rule for event in events(rows) if isinstance(event, RuleMatched)] == ["twitter.com"]
