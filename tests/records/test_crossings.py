"""Packets on the two sides of a box: which of them entered it, which left it, and by what they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import RecordError
from testbed.records.capture_file import Frame
from testbed.records.crossings import BoxCaptures, crossing, read_box_captures
from tests.records.build import ORIGIN, PORT, START_NS, SUBSCRIBER, frame, write_capture

if TYPE_CHECKING:
    from pathlib import Path

DOWN = frame(1, 0.1, down=True, seq=1000, ip_id=1)
UP = frame(2, 0.2, down=False, seq=5, ip_id=9, payload_bytes=0)
INNER, OUTER = b"\x02" * 6, b"\x04" * 6


def between(sender: bytes, packet: Frame) -> Frame:
    """The frame with another Ethernet address of its sender."""
    return packet._replace(data=packet.data[:6] + sender + packet.data[12:])


def read(folder: Path, inside: list[Frame], outside: list[Frame]) -> BoxCaptures:
    return read_box_captures(
        write_capture(folder / "inside.pcapng", inside), write_capture(folder / "outside.pcapng", outside), SUBSCRIBER
    )


def test_what_goes_up_enters_inside_and_leaves_outside(tmp_path: Path) -> None:
    captures = read(tmp_path, [DOWN, UP], [DOWN, UP])
    assert [(each.side, each.identity.upwards) for each in captures.entered] == [("outside", False), ("inside", True)]
    assert [(each.side, each.identity.upwards) for each in captures.left] == [("inside", False), ("outside", True)]


def test_a_packet_has_one_identity_on_both_sides(tmp_path: Path) -> None:
    captures = read(tmp_path, [DOWN], [DOWN])
    (entered,), (left,) = captures.entered, captures.left
    assert entered.identity == left.identity
    assert entered.identity.ends == (SUBSCRIBER, PORT, ORIGIN, 443)
    assert (entered.identity.ip_id, entered.identity.seq, entered.identity.length) == (1, 1000, 1040)


@pytest.mark.parametrize(("sender", "upwards"), [(INNER, True), (OUTER, False)])
def test_a_routers_own_packet_goes_the_way_its_frame_does(tmp_path: Path, sender: bytes, *, upwards: bool) -> None:
    """Neither of its addresses is the subscriber's; the neighbour on the subscriber's side is known by other frames."""
    own = between(sender, frame(3, 0.3, down=False, seq=1, ip_id=3))
    own = own._replace(data=own.data[:26] + bytes([100, 64, 0, 9]) + own.data[30:])
    captures = read(tmp_path, [between(INNER, UP), own], [])
    assert captures.entered[0].identity.upwards
    found = next(each for each in (*captures.entered, *captures.left) if each.number == 2)
    assert (found.identity.upwards, found in captures.entered) == (upwards, upwards)


def test_what_is_no_whole_packet_is_counted_by_what_it_is(tmp_path: Path) -> None:
    arp = Frame(3, START_NS, 1, bytes(12) + b"\x08\x06" + bytes(46))
    short = Frame(4, START_NS, 1, DOWN.data[:30])
    cut = DOWN._replace(data=DOWN.data[:200])
    captures = read(tmp_path, [arp, short, cut], []).both_sides()
    assert [each.identity.seq for each in captures.until(1 << 62)] == [1000]
    assert captures.left_out == {
        "frames without IP": 1, "IP headers cut short": 1, "the rest of packets that are longer than their frames": 1,
    }  # fmt: skip


def test_padding_behind_a_packet_is_no_part_of_it(tmp_path: Path) -> None:
    padded = UP._replace(data=UP.data + b"padding")
    captures = read(tmp_path, [padded], [UP])
    assert captures.entered[0].data == captures.left[0].data


def test_what_a_box_makes_has_an_identity_or_is_no_packet() -> None:
    made = crossing(DOWN.data[14:], 7, upwards=False)
    assert (made.identity.seq, made.t_ns, made.side) == (1000, 7, "")
    with pytest.raises(ValueError, match="no IP packet: 00 00"):
        crossing(bytes(8), 0, upwards=True)


def test_a_planted_capture_is_not_read(tmp_path: Path) -> None:
    good = write_capture(tmp_path / "good.pcapng", [UP])
    (tmp_path / "folder.pcapng").mkdir()
    with pytest.raises(RecordError, match="is a folder"):
        list(read_box_captures(good, tmp_path / "folder.pcapng", SUBSCRIBER))
