"""Captures of the first day: complete, at every capture point, and in the order of time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from testbed.records.capture_file import Frame, read_frames

if TYPE_CHECKING:
    from tests.conftest import FinishedRun


def frames(run: FinishedRun, name: str) -> list[Frame]:
    with (run.path / "captures" / f"{name}.pcapng").open("rb") as file:
        return list(read_frames(file))


def test_every_capture_has_all_that_its_ring_saw(first_day: FinishedRun) -> None:
    counts = first_day.manifest["certificate"]["captures"]
    assert {path.stem for path in (first_day.path / "captures").iterdir()} == set(counts)
    for name, found in counts.items():
        assert found["dropped"] == 0
        assert len(frames(first_day, name)) == found["captured"] > 0


def test_captures_are_in_the_order_of_time_within_the_run(first_day: FinishedRun) -> None:
    start_ns, seconds = first_day.manifest["start_ns"], first_day.manifest["emulated_s"]
    captured = frames(first_day, "origin-server")
    assert all(first.t_ns <= second.t_ns for first, second in pairwise(captured))
    assert start_ns <= captured[0].t_ns
    assert captured[-1].t_ns <= start_ns + (seconds + 5) * 1e9


def test_a_frame_has_no_more_than_the_links_mtu(first_day: FinishedRun) -> None:
    """Offloads are off: what is captured is what was on the wire."""
    assert max(len(each.data) for each in frames(first_day, "mobile-client")) == 14 + 1500
