"""Log and captures as two witnesses, where a box does more than drop: each lie of either is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.records.agreement import Agreement, compare, read_box_captures
from testbed.records.capture_file import Frame, datagram
from tests.records.build import START_NS, SUBSCRIBER, box, frame, opened, write_capture

if TYPE_CHECKING:
    from pathlib import Path

FIRST, SECOND, THIRD = (frame(number, number / 10, down=True, seq=1000 * number, ip_id=number) for number in (1, 2, 3))
OWN = frame(9, 0.2, down=True, seq=77, ip_id=0, payload_bytes=0)
OPENED = opened(0.0)


def at(original: Frame, t_s: float) -> Frame:
    return original._replace(t_ns=START_NS + round(t_s * 1e9))


def data_of(original: Frame) -> str:
    data = datagram(original)
    assert data is not None
    return data.hex()


def delayed(t: float, seconds: float, *, number: int = 2) -> Any:
    return box(
        "packet_delayed", t, direction="down", seq=1000 * number, ip_id=number, length=1040,
        delay_ns=round(seconds * 1e9),
    )  # fmt: skip


INJECTED = box("packet_injected", 0.2, direction="down", data=data_of(OWN))
REWRITTEN = box("packet_rewritten", 0.2, direction="down", seq=2000, ip_id=2, length=1040, data=data_of(OWN))
HELD = box("packet_held", 0.2, direction="down", ip_id=2, length=1040, offset=0) | {"flow": 0}
UNNAMED_DROP = box("packet_dropped", 0.2, direction="down", seq=2000, ip_id=2, length=1040) | {"flow": 0}


def found(folder: Path, left: list[Frame], truth: list[Any], **options: Any) -> Agreement:
    """What left inwards of three packets that came from outside."""
    captures = read_box_captures(
        write_capture(folder / "inside.pcapng", left),
        write_capture(folder / "outside.pcapng", [FIRST, SECOND, THIRD]),
        SUBSCRIBER,
    )
    return compare(captures, truth, start_ns=START_NS, **options)


@pytest.mark.parametrize(
    ("left", "truth"),
    [
        ([FIRST, THIRD, at(SECOND, 0.7)], [OPENED, delayed(0.2, 0.5)]),
        ([FIRST, SECOND, OWN, THIRD], [OPENED, INJECTED]),
        ([FIRST, OWN, THIRD], [OPENED, REWRITTEN]),
        ([FIRST, THIRD], [HELD]),
        ([FIRST, THIRD], [UNNAMED_DROP]),
        ([FIRST, SECOND, THIRD], [HELD, box("packet_injected", 0.2, direction="down", data=data_of(SECOND))]),
    ],
)
def test_a_log_that_says_what_happened_agrees(tmp_path: Path, left: list[Frame], truth: list[Any]) -> None:
    assert found(tmp_path, left, truth).agrees


@pytest.mark.parametrize(
    ("left", "truth", "what"),
    [
        ([FIRST, SECOND, THIRD], [OPENED, delayed(0.2, 0.5)], "mistimed"),
        ([FIRST, THIRD, at(SECOND, 0.8)], [OPENED, delayed(0.2, 0.5)], "mistimed"),
        ([FIRST, THIRD, at(SECOND, 0.7)], [], "mistimed"),
        ([FIRST, THIRD], [OPENED, delayed(0.2, 0.5)], "only_captures"),
        ([FIRST, SECOND, THIRD], [OPENED, INJECTED], "only_log"),
        ([FIRST, SECOND, OWN, THIRD], [OPENED], "unexplained"),
        ([FIRST, SECOND, THIRD], [OPENED, REWRITTEN], "unexplained"),
        ([FIRST, OWN, THIRD], [OPENED], "unexplained"),
        ([FIRST, SECOND, THIRD], [HELD], "unexplained"),
        ([FIRST, SECOND, THIRD], [UNNAMED_DROP], "only_log"),
        ([FIRST, SECOND, THIRD], [OPENED, delayed(0.2, 0.5, number=7)], "only_log"),
        ([FIRST, SECOND, at(FIRST, 0.3), THIRD], [], "unexplained"),
    ],
)
def test_a_log_that_says_something_else_is_found_out(
    tmp_path: Path, left: list[Frame], truth: list[Any], what: str
) -> None:
    result = found(tmp_path, left, truth)
    assert not result.agrees
    assert getattr(result, what)


def test_one_changed_bit_is_a_packet_from_nowhere(tmp_path: Path) -> None:
    changed = SECOND._replace(data=SECOND.data[:-1] + b"\x01")
    result = found(tmp_path, [FIRST, changed, THIRD], [OPENED])
    assert [each.seq for each in result.unexplained] == [each.seq for each in result.only_captures] == [2000]


def test_what_came_or_waited_at_the_boxes_end_is_left_out(tmp_path: Path) -> None:
    end_ns = START_NS + 250_000_000
    assert found(tmp_path, [FIRST], [OPENED, delayed(0.2, 0.5)], until_ns=end_ns).agrees
    assert not found(tmp_path, [FIRST], [OPENED, delayed(0.2, 0.04)], until_ns=end_ns).agrees
