"""Throughput over time, and every data segment with its fate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.report.series import NotCapturedError, Series, segments, series, windowed_throughput
from tests.records.build import BOX, MEASUREMENTS, TRUTH, box, client, frame, opened, transfer, write_capture, write_run

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.run import RunDirectory


def test_arrivals_count_from_the_start_of_the_transfer(tmp_path: Path) -> None:
    arrivals = series(write_run(tmp_path / "run"), transfer())
    assert arrivals.times_s.tolist() == pytest.approx([1.0, 3.8, 4.0])
    assert arrivals.totals.tolist() == [500, 1500, 2000]


def test_an_upload_arrives_at_the_server(tmp_path: Path) -> None:
    server = client("bytes", 3.0, times=[3.0], totals=[900], side="server")
    run = write_run(tmp_path / "run", measurements=[*MEASUREMENTS, server])
    assert series(run, transfer(direction="upload")).totals.tolist() == [900]


def test_windows_are_consecutive_and_the_last_that_is_not_full_is_left_out() -> None:
    arrivals = Series(np.array([0.4, 1.2, 2.5]), np.array([100.0, 300.0, 900.0]))
    middles, rates = windowed_throughput(arrivals, 1.0)
    assert middles.tolist() == [0.5, 1.5]
    assert rates.tolist() == [800.0, 1600.0]


def test_nothing_arrived_is_no_window() -> None:
    middles, rates = windowed_throughput(Series(np.empty(0), np.empty(0)), 1.0)
    assert (middles.size, rates.size) == (0, 0)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 10**6)), min_size=1, max_size=30), st.floats(0.1, 5))
def test_windows_lose_and_invent_no_byte(steps: list[tuple[float, int]], window_s: float) -> None:
    times = np.sort(np.array([t for t, _ in steps]))
    totals = np.cumsum(np.array([size for _, size in steps], dtype=np.float64))
    middles, rates = windowed_throughput(Series(times, totals), window_s)
    assert (rates >= 0).all()
    edges = np.arange(0.0, times[-1] + 1e-9, window_s)  # as exactly as the windows have them
    inside = totals[times <= edges[-1]] if middles.size else np.empty(0)
    before = totals[times <= 0.0]
    expected = (inside[-1] if inside.size else 0.0) - (before[-1] if before.size else 0.0)
    if middles.size:
        assert (rates * window_s / 8).sum() == pytest.approx(expected, rel=1e-6, abs=1e-3)


def with_capture(folder: Path, truth: list[dict[str, Any]]) -> RunDirectory:
    run = write_run(folder / "run", truth=truth)
    frames = [
        frame(1, 0.5, down=True, seq=400, ip_id=1),
        frame(2, 1.5, down=True, seq=500, ip_id=6),
        frame(3, 2.5, down=True, seq=1500, ip_id=7),
        frame(4, 2.6, down=False, seq=9, ip_id=8),
        frame(5, 2.7, down=True, seq=2500, ip_id=9, payload_bytes=0),
        frame(6, 3.5, down=True, seq=1500, ip_id=10),
    ]
    write_capture(run.path / "captures" / f"{BOX}-outside.pcapng", frames)
    return run


def test_data_segments_of_the_flow_come_with_their_fate(tmp_path: Path) -> None:
    """Not those before the flow opened, of the other direction, or without data."""
    sent = segments(with_capture(tmp_path, TRUTH), transfer())
    assert sent.times_s.tolist() == pytest.approx([0.0, 1.0, 2.0])
    assert sent.sequence.tolist() == [0.0, 1000.0, 1000.0]
    assert sent.length.tolist() == [1000.0] * 3
    assert sent.dropped.tolist() == [False, True, False]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_boxes_on_a_line_the_one_that_throttles_is_shown(tmp_path: Path, order: int) -> None:
    openings = [opened(1.1), opened(1.101, box="mobile-blocker", flow=9)][::order]
    sent = segments(with_capture(tmp_path, [*openings, *TRUTH[1:]]), transfer())
    assert sent.dropped.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("truth", "problem"),
    [
        ([], "no box saw mobile/01-image-download-original"),
        ([opened(1.1, inside_port=9)], "no box saw"),
        ([opened(1.1, box="other")], "the run has no capture other-outside.pcapng"),
        ([opened(3.6), box("throttling_started", 3.7)], "no box saw"),
    ],
)
def test_what_cannot_be_shown_is_an_error_with_its_reason(
    tmp_path: Path, truth: list[dict[str, Any]], problem: str
) -> None:
    with pytest.raises(NotCapturedError, match=problem):
        segments(with_capture(tmp_path, truth), transfer())


def test_a_capture_without_the_flow_is_an_error(tmp_path: Path) -> None:
    run = with_capture(tmp_path, TRUTH)
    write_capture(run.path / "captures" / f"{BOX}-outside.pcapng", [])
    with pytest.raises(NotCapturedError, match="no data segment of mobile/01-image-download-original"):
        segments(run, transfer())
