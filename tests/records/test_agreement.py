"""The box's log and the captures beside it: the same dropped packets, or a difference that is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.errors import CaptureError
from testbed.records.agreement import Agreement, compare, read_box_captures
from testbed.records.capture_file import Frame
from tests.records.build import START_NS, SUBSCRIBER, dropped, frame, opened, write_capture

if TYPE_CHECKING:
    from pathlib import Path

DOWN = [frame(number, number / 10, down=True, seq=1000 * number, ip_id=number) for number in (1, 2, 3)]
UP = frame(4, 0.4, down=False, seq=5, ip_id=9, payload_bytes=0)
ARP = Frame(5, START_NS, 1, bytes(12) + b"\x08\x06" + bytes(46))


def found(folder: Path, inside: list[Frame], outside: list[Frame], truth: list[dict[str, Any]]) -> Agreement:
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


def test_a_capture_that_is_cut_is_refused(tmp_path: Path) -> None:
    good = write_capture(tmp_path / "good.pcapng", DOWN)
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(good.read_bytes()[:-10])
    with pytest.raises(CaptureError, match="byte"):
        read_box_captures(good, cut, SUBSCRIBER)
