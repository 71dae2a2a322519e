"""Published figures stand beside ours where the run has what they were measured on, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.report.published import Comparison, compare_with_published
from tests.records.build import BOX, MEASUREMENTS, TRUTH, client, frame, transfer, write_capture, write_run

if TYPE_CHECKING:
    from pathlib import Path


def compared(folder: Path, transfers: list[Any], arrivals: list[tuple[float, int]]) -> list[Comparison]:
    times, totals = [t for t, _ in arrivals], [total for _, total in arrivals]
    records = [*MEASUREMENTS[:2], client("bytes", times[0], times=times, totals=totals)]
    run = write_run(folder / "run", measurements=records)
    frames = [frame(1, 2.0, down=True, seq=500, ip_id=6), frame(2, 2.5, down=True, seq=1500, ip_id=7)]
    write_capture(run.path / "captures" / f"{BOX}-outside.pcapng", frames)
    return compare_with_published(run, transfers)


def steady(rate_bps: float, seconds: int) -> list[tuple[float, int]]:
    """Arrivals every 100 ms; the transfer began at 1 s."""
    return [(1.0 + step / 10, round(rate_bps / 80 * step)) for step in range(1, seconds * 10 + 1)]


def quantities(rows: list[Comparison]) -> list[str]:
    return [each.quantity.split(" (")[0] for each in rows]


@pytest.mark.parametrize(
    ("rate_bps", "agrees"), [(129_000, False), (130_000, True), (140_000, True), (150_000, True), (151_000, False)]
)
def test_converged_throughput_agrees_within_the_published_range(
    tmp_path: Path, rate_bps: float, *, agrees: bool
) -> None:
    row = compared(tmp_path, [transfer()], steady(rate_bps, 10))[0]
    assert (row.quantity, row.published) == ("converged throughput, download replay (mobile)", "130–150 kbit/s")
    assert (row.ours, row.agrees) == (f"{rate_bps / 1000:.0f} kbit/s", agrees)


def test_a_replay_that_is_over_before_it_converged_is_not_compared(tmp_path: Path) -> None:
    rows = compared(tmp_path, [transfer()], steady(140_000, 2))
    assert quantities(rows) == ["longest gap in delivery", "payload before the first drop"]


def test_a_single_arrival_gives_no_figure(tmp_path: Path) -> None:
    assert compared(tmp_path, [transfer()], [(2.0, 1000)]) == []


def test_durations_are_compared_for_the_published_size_alone(tmp_path: Path) -> None:
    pair = [transfer(bytes=385_238, duration_s=22.6), transfer(role="control", throttled=False, duration_s=1.4)]
    rows = {each.quantity: each.ours for each in compared(tmp_path, pair, steady(140_000, 20))}
    assert rows["duration of the 383 kB download replay (mobile)"] == "22.6 s"
    assert rows["the same, bit-inverted (mobile)"] == "1.4 s, 16.1 times faster"


def test_drops_are_compared_where_there_are_captures(tmp_path: Path) -> None:
    rows = {each.quantity: each for each in compared(tmp_path, [transfer()], steady(140_000, 20))}
    assert rows["payload before the first drop (mobile)"].ours == "1.0 kB"
    assert rows["longest gap in delivery (mobile)"].agrees is False


@pytest.mark.parametrize(
    "changes", [{"throttled": False}, {"ok": False}, {"kind": "fetch"}, {"role": "control"}], ids=str
)
def test_only_throttled_replays_that_went_well_are_compared(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert compared(tmp_path, [transfer(**changes)], steady(140_000, 20)) == []


def test_an_upload_is_compared_by_its_rate_alone(tmp_path: Path) -> None:
    records = [
        *MEASUREMENTS[:2],
        client("bytes", 1.1, side="server", times=[t for t, _ in steady(140_000, 10)],
               totals=[total for _, total in steady(140_000, 10)]),
    ]  # fmt: skip
    run = write_run(tmp_path / "run", measurements=records, truth=TRUTH)
    rows = compare_with_published(run, [transfer(direction="upload")])
    assert quantities(rows) == ["converged throughput, upload replay"]
