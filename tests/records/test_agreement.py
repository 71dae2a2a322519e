"""The box's log and the captures beside it: the same dropped packets, or a difference that is named."""

from __future__ import annotations

import tracemalloc
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import CaptureError
from testbed.middlebox.packet import Direction, Packet, address_text
from testbed.records.agreement import Agreement, compare, read_box_captures
from testbed.records.capture_file import Frame
from testbed.records.crossings import crossing
from tests.middlebox.build import Connection
from tests.middlebox.fuzz import corpus, mutated
from tests.records.build import START_NS, SUBSCRIBER, box, dropped, frame, opened, write_capture

if TYPE_CHECKING:
    from pathlib import Path

DATAGRAMS = [datagram for sequence in corpus(Random(1)) for datagram in sequence]  # noqa: S311
DOWN = [frame(number, number / 10, down=True, seq=1000 * number, ip_id=number) for number in (1, 2, 3)]
UP = frame(4, 0.4, down=False, seq=5, ip_id=9, payload_bytes=0)
ARP = Frame(5, START_NS, 1, bytes(12) + b"\x08\x06" + bytes(46))


def found(folder: Path, inside: list[Frame], outside: list[Frame], truth: list[Any]) -> Agreement:
    captures = read_box_captures(
        write_capture(folder / "inside.pcapng", inside), write_capture(folder / "outside.pcapng", outside), SUBSCRIBER
    )
    absolute = [each | {"t": each["t"] + START_NS / 1e9} for each in truth]
    return compare(captures, absolute)


def test_a_box_that_passes_everything_agrees_with_an_empty_log(tmp_path: Path) -> None:
    result = found(tmp_path, [*DOWN, UP, ARP], [*DOWN, UP, ARP], [])
    assert result.agrees
    assert (result.dropped, result.logged) == (0, 0)


def test_a_logged_drop_that_the_captures_show_agrees(tmp_path: Path) -> None:
    truth = [opened(0.0), dropped(0.2, seq=2000, ip_id=2)]
    result = found(tmp_path, [DOWN[0], DOWN[2]], DOWN, truth)
    assert result.agrees
    assert (result.dropped, result.logged, result.entry_frames) == (1, 1, [("outside", 2)])


def test_a_drop_on_the_way_up_is_named_where_it_entered(tmp_path: Path) -> None:
    truth = [opened(0.0), dropped(0.4, seq=5, ip_id=9, length=40, direction="up")]
    result = found(tmp_path, [*DOWN, UP], DOWN, truth)
    assert result.agrees
    assert result.entry_frames == [("inside", 4)]


def test_a_drop_that_the_log_does_not_have_is_found(tmp_path: Path) -> None:
    result = found(tmp_path, [DOWN[0], DOWN[2]], DOWN, [opened(0.0)])
    assert not result.agrees
    assert [each.seq for each in result.only_captures] == [2000]


def test_a_logged_drop_of_a_packet_that_passed_is_found(tmp_path: Path) -> None:
    result = found(tmp_path, DOWN, DOWN, [opened(0.0), dropped(0.2, seq=2000, ip_id=2)])
    assert not result.agrees
    assert [each.seq for each in result.only_log] == [2000]


def test_a_packet_from_nowhere_is_found(tmp_path: Path) -> None:
    result = found(tmp_path, DOWN, DOWN[:2], [])
    assert not result.agrees
    assert [each.seq for each in result.unexplained] == [3000]


def test_of_a_packet_sent_twice_one_may_be_dropped(tmp_path: Path) -> None:
    again = frame(4, 0.4, down=True, seq=3000, ip_id=3)
    truth = [opened(0.0), dropped(0.4, seq=3000, ip_id=3)]
    assert found(tmp_path, DOWN, [*DOWN, again], truth).agrees


def test_what_was_compared_and_what_was_not_is_counted(tmp_path: Path) -> None:
    other_version = Frame(6, START_NS, 1, bytes(12) + b"\x08\x00" + b"\x55" + bytes(45))
    short = Frame(7, START_NS, 1, bytes(12) + b"\x08\x00" + b"\x45" + bytes(10))
    cut = frame(8, 0.5, down=True, seq=7000, ip_id=70)
    cut = cut._replace(data=cut.data[:200])
    others = [ARP, other_version, short, cut]
    result = found(tmp_path, [*DOWN, UP, *others], [*DOWN, UP, *others], [])
    assert result.agrees
    assert result.compared == len(DOWN) + 2
    assert result.not_compared == {
        "frames without IP": 4, "IP headers cut short": 2,
        "the rest of packets that are longer than their frames": 2,
    }  # fmt: skip


def test_what_comes_or_waits_when_the_box_has_ended_is_not_compared(tmp_path: Path) -> None:
    captures = read_box_captures(
        write_capture(tmp_path / "inside.pcapng", DOWN[:1]),
        write_capture(tmp_path / "outside.pcapng", DOWN),
        SUBSCRIBER,
    )
    delay = {"event": "packet_delayed", "direction": "down", "seq": 2000, "ip_id": 2, "length": 1040, "delay_ns": 10**9}
    truth = [opened(0.0), dropped(0.2, seq=2000, ip_id=2) | delay]
    result = compare(captures, truth, start_ns=START_NS, until_ns=START_NS + 250_000_000)
    assert result.agrees
    assert result.compared == 1
    assert result.not_compared == {"packets after the box had ended": 1, "packets that waited when the box ended": 1}


def test_nothing_captured_is_nothing_compared(tmp_path: Path) -> None:
    result = found(tmp_path, [], [], [])
    assert (result.compared, result.not_compared) == (0, {})


INSIDE6, OUTSIDE6 = "2001:db8::1", "2001:db8::2"


def ethernet6(number: int, t_s: float, packet: bytes, *, down: bool) -> Frame:
    """A frame of IPv6; the subscriber's side has the address 2, the other 1."""
    macs = bytes([2] * 6 + [1] * 6) if down else bytes([1] * 6 + [2] * 6)
    return Frame(number, START_NS + round(t_s * 1e9), 1, macs + b"\x86\xdd" + packet)


def six(*, down: bool, payload: bytes) -> bytes:
    packet = Connection(INSIDE6, OUTSIDE6).packet(Direction.DOWN if down else Direction.UP, payload=payload)
    return packet.data


def fragment_of_six(packet: bytes, *, more: bool, offset: int, part: bytes) -> bytes:
    extension = bytes([6, 0]) + (offset | more).to_bytes(2, "big") + (77).to_bytes(4, "big")
    return packet[:4] + (8 + len(part)).to_bytes(2, "big") + bytes([44]) + packet[7:40] + extension + part


@pytest.mark.parametrize("subscriber", [SUBSCRIBER, INSIDE6])
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_ipv6_packets_and_their_fragments_are_compared(tmp_path: Path, subscriber: str, lost: int) -> None:
    """Where the subscriber is named by its IPv4 address, its Ethernet address tells the direction."""
    whole = six(down=True, payload=bytes(200))
    sent = [
        ethernet6(1, 0.1, whole, down=True),
        ethernet6(2, 0.2, fragment_of_six(whole, more=True, offset=0, part=whole[40:144]), down=True),
        ethernet6(3, 0.3, fragment_of_six(whole, more=False, offset=104, part=whole[144:]), down=True),
    ]
    hello = frame(9, 0.0, down=False, seq=1, ip_id=1)
    known = hello._replace(data=bytes([1] * 6 + [2] * 6) + hello.data[12:])
    inside = [known, ethernet6(8, 0.05, six(down=False, payload=b"x"), down=False)]
    captures = read_box_captures(
        write_capture(tmp_path / "inside.pcapng", [*inside, *(each for each in sent if each is not sent[lost])]),
        write_capture(tmp_path / "outside.pcapng", [*inside, *sent]),
        subscriber,
    )
    fields = {"inside": INSIDE6, "inside_port": 40000, "outside": OUTSIDE6}
    entries = [
        dropped(0.1, seq=5000, ip_id=0, length=len(whole)),
        dropped(0.2, seq=5000, ip_id=77, length=152),
        dropped(0.3, seq=0, ip_id=77, length=len(whole) - 104 + 8) | {"flow": 0},
    ]
    truth = [opened(0.0, **fields), entries[lost]]
    agreeing = compare(captures, truth, start_ns=START_NS)
    assert agreeing.agrees
    assert (agreeing.compared, agreeing.dropped, agreeing.logged) == (5, 1, 1)
    silent = compare(captures, truth[:1], start_ns=START_NS)
    assert [each.length for each in silent.only_captures] == [entries[lost]["length"]]


@pytest.mark.parametrize("cut_to", [40, 400])
def test_of_headers_all_but_the_payload_is_compared(tmp_path: Path, cut_to: int) -> None:
    """Both sides may have kept another part of a payload: only headers count, and what is injected is cut likewise."""
    own = frame(9, 0.25, down=True, seq=9000, ip_id=90)
    kept = [each._replace(data=each.data[: 14 + cut_to], length=len(each.data)) for each in DOWN]
    injected = box("packet_injected", 0.25, direction="down", data=own.data[14:].hex())
    captures = read_box_captures(
        write_capture(tmp_path / "inside.pcapng", [kept[0], own._replace(data=own.data[:54], length=1054), kept[2]]),
        write_capture(tmp_path / "outside.pcapng", DOWN),
        SUBSCRIBER,
        headers_only=True,
    )
    result = compare(captures, [opened(0.0), dropped(0.2, seq=2000, ip_id=2), injected], start_ns=START_NS)
    assert result.agrees
    assert (result.compared, result.dropped, result.injected) == (3, 1, 1)
    assert result.not_compared == {"payloads, of which captures of headers have the checksum": 6}


def test_a_comparison_remembers_no_more_of_a_long_run_than_of_a_short_one(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 20_000):
        frames = [frame(n, n / 10, down=True, seq=1000 * n % 2**32, ip_id=n % 65_536) for n in range(1, count)]
        captures = read_box_captures(
            write_capture(tmp_path / "inside.pcapng", frames[::2]),
            write_capture(tmp_path / "outside.pcapng", frames),
            SUBSCRIBER,
        )
        log = (dropped(n / 10, seq=1000 * n % 2**32, ip_id=n % 65_536) for n in range(2, count, 2))
        tracemalloc.start()
        result = compare(captures, log, start_ns=START_NS)
        peaks.append(
            tracemalloc.get_traced_memory()[1] - 200 * result.dropped
        )  # the frames with comments are its yield
        tracemalloc.stop()
        assert result.agrees
        assert result.dropped == count // 2 - 1
    assert peaks[1] < 1.5 * peaks[0]


@given(st.sampled_from(DATAGRAMS), st.integers())
def test_a_packet_is_read_as_the_box_reads_it(datagram: tuple[Direction, bytes], seed: int) -> None:
    direction, data = datagram
    random = Random(seed)  # noqa: S311
    data = mutated(data, random) if random.random() < 0.9 else data
    packet = Packet.parse(data, direction)
    if packet.version not in {4, 6} or not packet.src:
        return
    identity = crossing(data, 0, upwards=direction is Direction.UP).identity
    ends = (packet.key.inside, packet.key.inside_port), (packet.key.outside, packet.key.outside_port)
    assert identity.ends == (address_text(ends[0][0]), ends[0][1], address_text(ends[1][0]), ends[1][1])
    assert (identity.ip_id, identity.seq, identity.length) == (packet.ip_id, packet.seq, packet.length)


def test_a_capture_that_is_cut_is_refused(tmp_path: Path) -> None:
    good = write_capture(tmp_path / "good.pcapng", DOWN)
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(good.read_bytes()[:-10])
    with pytest.raises(CaptureError, match="byte"):
        compare(read_box_captures(good, cut, SUBSCRIBER), [])
