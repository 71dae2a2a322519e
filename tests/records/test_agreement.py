"""The box's log and the captures beside it: the same dropped packets, or a difference that is named."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import CaptureError
from testbed.middlebox.packet import Direction, Packet, address_text
from testbed.records.agreement import Agreement, Comparison, compare, read_box_captures
from testbed.records.capture_file import Frame
from testbed.records.crossings import BothSides, crossing, packed_addresses
from testbed.records.growing import GrowingCapture, GrowingLog
from tests.middlebox.build import Connection
from tests.middlebox.fuzz import corpus, mutated
from tests.records.build import (
    BOX,
    START_NS,
    SUBSCRIBER,
    Appearing,
    box,
    dropped,
    frame,
    opened,
    pcap_bytes,
    write_capture,
)

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


INNER, OUTER = b"\x02" * 6, b"\x04" * 6
FATES = (
    "passes", "dropped", "delayed", "rewritten", "injected",  # as the log says
    "lost", "logged and passed", "late", "changed", "from nowhere", "announced alone",  # each is a disagreement
)  # fmt: skip
HONEST = FATES[:5]


def sent(number: int, t_s: float, *, down: bool, ip_id: int, by_router: bool = False) -> Frame:
    """A frame whose Ethernet addresses say the direction, too; a router's own packet has no address that does."""
    made = frame(number, t_s, down=down, seq=number, ip_id=ip_id, payload_bytes=20)
    data = (INNER + OUTER if down else OUTER + INNER) + made.data[12:]
    if by_router:
        data = data[:26] + bytes([100, 64, 9, 9, 100, 64, 9, 8]) + data[34:]
    return made._replace(data=data)


def happened(fates: list[tuple[str, float, bool, int, bool]]) -> tuple[list[Frame], list[Frame], list[Any]]:
    """What both sides of a box and its log have of packets: (fate, seconds since the last one, way, IP id, whose)."""
    sides: tuple[list[Frame], list[Frame]] = ([], [])
    truth: list[Any] = [opened(0.0)]
    t = 0.0
    for number, (fate, gap_s, down, ip_id, by_router) in enumerate(fates, start=1):
        t = round(t + gap_s, 6)
        whole = sent(number, t, down=down, ip_id=ip_id, by_router=by_router)
        entered, left = sides[::-1] if down else sides
        way = {"direction": "down" if down else "up"}
        flow = {"flow": 0} if by_router else {}
        about = dropped(t, seq=number, ip_id=ip_id, length=60) | way | flow
        if fate not in {"injected", "from nowhere", "announced alone"}:
            entered.append(whole)
        if fate not in {"dropped", "lost", "announced alone"}:
            wait_s = 0.7 if fate in {"delayed", "late"} else 0.0
            changed = whole.data[:-1] + b"!" if fate in {"rewritten", "changed"} else whole.data
            left.append(whole._replace(t_ns=whole.t_ns + round(wait_s * 1e9), data=changed))
        if fate in {"dropped", "logged and passed"}:
            truth.append(about)
        elif fate == "delayed":
            truth.append(about | {"event": "packet_delayed", "delay_ns": 700_000_000})
        elif fate == "rewritten":
            truth.append(about | {"event": "packet_rewritten", "data": (whole.data[14:-1] + b"!").hex()})
        elif fate in {"injected", "announced alone"}:
            truth.append(box("packet_injected", t, data=whole.data[14:].hex()) | way)
    inside, outside = (sorted(side, key=lambda each: each.t_ns) for side in sides)
    return inside, outside, truth


class Watched:
    """A comparison of what grows: captures and a log in memory."""

    def __init__(self, *, names_frames: bool = True) -> None:
        self.inside, self.outside, self.log = Appearing(), Appearing(), Appearing()
        captures = GrowingCapture(self.inside), GrowingCapture(self.outside)
        records = GrowingLog(self.log, BOX)
        self.readers = (*captures, records)
        sides = BothSides(*captures, packed_addresses(SUBSCRIBER))
        self.comparison = Comparison(sides, records, start_ns=START_NS, names_frames=names_frames)

    def end(self, until_ns: int) -> Agreement:
        for each in self.readers:
            each.is_whole = True
        return self.comparison.end(until_ns)


def at_once(inside: list[Frame], outside: list[Frame], truth: list[Any], until_ns: int) -> Agreement:
    watched = Watched()
    watched.inside.append(pcap_bytes(inside))
    watched.outside.append(pcap_bytes(outside))
    watched.log.append("".join(json.dumps(each) + "\n" for each in truth).encode())
    return watched.end(until_ns)


PACKETS = st.lists(
    st.tuples(
        st.sampled_from([*HONEST, *FATES]),
        st.sampled_from([0.0, 0.001, 0.3, 1.0, 4.0, 30.0]),
        st.booleans(),
        st.integers(1, 3),
        st.sampled_from([False, False, True]),
    ),
    max_size=25,
)


@given(PACKETS, st.data())
def test_what_is_compared_as_it_comes_is_compared_as_in_one_go(
    fates: list[tuple[str, float, bool, int, bool]], data: st.DataObject
) -> None:
    """Whatever has come of each file, and wherever it is cut, as long as the log has what the box did by then."""
    inside, outside, truth = happened(fates)
    last_s = max(each["t"] for each in truth)
    end_ns = START_NS + round((last_s + data.draw(st.sampled_from([0.0, 0.5, 20.0]), "end")) * 1e9)
    watched = Watched()
    files = [pcap_bytes(inside), pcap_bytes(outside), "".join(json.dumps(each) + "\n" for each in truth).encode()]
    done = [0, 0, 0]
    looks = data.draw(st.lists(st.floats(0, last_s), max_size=5).map(sorted), "looks")
    for known_s in looks:
        logged = len("".join(json.dumps(each) + "\n" for each in truth if each["t"] <= known_s))
        for index, file in enumerate((watched.inside, watched.outside, watched.log)):
            least = max(done[index], logged if index == 2 else 0)
            upto = data.draw(st.integers(least, len(files[index])), "there")
            file.append(files[index][done[index] : upto])
            done[index] = upto
        watched.comparison.follow(START_NS + round(known_s * 1e9))
    for index, file in enumerate((watched.inside, watched.outside, watched.log)):
        file.append(files[index][done[index] :])
    assert watched.end(end_ns) == at_once(inside, outside, truth, end_ns)


@given(PACKETS)
def test_what_files_hold_is_compared_as_what_grows_is(fates: list[tuple[str, float, bool, int, bool]]) -> None:
    inside, outside, truth = happened(fates)
    with TemporaryDirectory() as name:
        captures = read_box_captures(
            write_capture(Path(name) / "inside.pcapng", inside),
            write_capture(Path(name) / "outside.pcapng", outside),
            SUBSCRIBER,
        )
        whole = compare(captures, truth, start_ns=START_NS)
    assert whole == at_once(inside, outside, truth, 1 << 63)


@pytest.mark.parametrize("fate", FATES)
def test_a_box_that_does_what_it_logs_agrees_and_no_other(fate: str) -> None:
    seen = [("passes", 0.5, True, number, False) for number in range(5)]
    inside, outside, truth = happened([*seen, (fate, 1.0, True, 9, False), *seen])
    assert at_once(inside, outside, truth, 1 << 63).agrees is (fate in HONEST)


def test_what_was_compared_while_it_came_is_not_kept_in_memory() -> None:
    """Memory is measured while the run goes on, of a short one and of one four times as long."""
    peaks, step, counts = [], 100, (8_000, 32_000)
    for count in counts:
        inside, outside, truth = happened(
            [("passes", 0.1, True, 1, False), ("dropped", 0.1, True, 2, False)] * (count // 2)
        )
        watched = Watched(names_frames=False)
        watched.inside.append(pcap_bytes([]))
        watched.outside.append(pcap_bytes([]))
        tracemalloc.start()
        for end in range(step, count + 1, step):
            watched.inside.append(pcap_bytes(inside[(end - step) // 2 : end // 2])[24:])
            watched.outside.append(pcap_bytes(outside[end - step : end])[24:])
            logged = truth[(end - step) // 2 : end // 2]
            watched.log.append("".join(json.dumps(each) + "\n" for each in logged).encode())
            watched.comparison.follow(outside[end - 1].t_ns)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        watched.log.append(json.dumps(truth[-1]).encode() + b"\n")
        assert watched.end(1 << 63).dropped == count // 2
    # Whatever runs, Python keeps up to 2,000 tuples of each size for new ones (0.2 MB); a packet kept takes 300 bytes.
    assert peaks[1] - peaks[0] < 20 * (counts[1] - counts[0])
