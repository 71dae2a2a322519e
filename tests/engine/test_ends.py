"""Ends in the guest are what was said of them, in captures and records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.detectors.observation import Direction
from testbed.detectors.sources.run import observation_from_run

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.detectors.observation import Transfer
    from tests.conftest import FinishedRun, Runner

SCENARIO = """\
format: 1
title: ends
about: one line and servers that differ
date: 2021-03-10T09:00Z
network: {topology: dumbbell}
lines:
  - {name: one, kind: landline, tspu: false}
"""


def measured(run_scenario: Runner, folder: Path, text: str, *settings: str) -> FinishedRun:
    path = folder / "ends.yaml"
    path.write_text(SCENARIO + text)
    run = run_scenario(*settings, scenario=str(path))
    assert run.manifest["valid"], run.manifest["problems"]
    assert [each["error"] for each in run.manifest["transfers"] if not each["ok"]] == []
    return run


def seen(run: FinishedRun) -> list[Transfer]:
    """What the client's capture has of each transfer."""
    return list(observation_from_run(run.path).transfers)


def test_an_origin_has_its_rate_in_every_five_seconds_of_the_clients_capture(
    run_scenario: Runner, tmp_path: Path
) -> None:
    run = measured(
        run_scenario, tmp_path,
        "origins:\n"
        "  server1: {serves: [twitter.com], rate: 400 kbit/s, think: 80 ms}\n"
        "  server2: {serves: [example.com], rate: 4 Mbit/s}\n"
        "measurements:\n"
        "  - {fetch: twitter.com, role: target, size: 400 kB}\n"
        "  - {fetch: example.com, role: control, size: 4 MB}\n",
    )  # fmt: skip
    for transfer, rate_bps in zip(seen(run), (400_000, 4_000_000), strict=True):
        times, totals = transfer.times_s, transfer.bytes
        handshake_s = (transfer.connect_s or 0) + (transfer.handshake_s or 0)
        begin = times[np.searchsorted(times, handshake_s + 0.2)]  # behind the thought
        for start in np.arange(begin, times[-1] - 5, 0.25):
            at = np.interp([start, start + 5], times, totals)
            assert (at[1] - at[0]) * 8 / 5 == pytest.approx(rate_bps, rel=0.03)


def test_an_origin_thinks_before_each_first_byte(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(
        run_scenario, tmp_path,
        "origins:\n"
        "  server1: {serves: [twitter.com], think: 0}\n"
        "  server2: {serves: [example.com], think: 300 ms}\n"
        "measurements:\n"
        "  - {fetch: twitter.com, role: target, size: 1 kB}\n"
        "  - {fetch: example.com, role: control, size: 1 kB}\n",
    )  # fmt: skip
    at_once, later = (each["duration_s"] for each in run.manifest["transfers"])
    assert later - at_once == pytest.approx(0.3, abs=0.002)


def test_paced_segments_leave_two_by_two(run_scenario: Runner, tmp_path: Path) -> None:
    """At 4 Mbit/s pairs of segments come 5.8 ms apart, on a line that would carry them in a tenth of that."""
    run = measured(
        run_scenario, tmp_path,
        "origins:\n"
        "  server1: {serves: [twitter.com], pacing: 4 Mbit/s}\n"
        "  server2: {serves: [example.com]}\n"
        "measurements:\n"
        "  - {fetch: twitter.com, role: target, size: 1 MB}\n"
        "  - {fetch: example.com, role: control, size: 1 MB}\n",
    )  # fmt: skip
    paced, plain = (np.diff(transfer.times_s)[200:] for transfer in seen(run))
    # The kernel paces what it hands down at once, two segments at least (tcp_min_tso_segs), and counts their payload.
    assert np.mean(paced) == pytest.approx(2 * 1448 * 8 / 4e6, rel=0.01)
    assert np.max(paced) < 0.0065
    assert np.median(plain) < 0.002
    slow, fast = (each["goodput_bps"] for each in run.manifest["transfers"])
    assert slow is not None
    assert fast is not None
    assert slow < 4e6 < fast


def test_a_small_send_buffer_bounds_what_is_on_its_way(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(
        run_scenario, tmp_path,
        "origins:\n"
        "  server1: {serves: [twitter.com]}\n"
        "  server2: {serves: [example.com], send_buffer: 8 kB}\n"
        "measurements:\n"
        "  - {fetch: twitter.com, role: target}\n"
        "  - {fetch: example.com, role: control}\n",
    )  # fmt: skip
    free, bound = (each["goodput_bps"] for each in run.manifest["transfers"])
    assert bound < free / 2
    # The kernel books twice 8 kB for payload and its own records of it; a round trip takes 45 ms.
    assert bound < 16_000 * 8 / 0.045


def test_a_slow_reader_is_a_slow_transfer_whose_window_closes(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(
        run_scenario, tmp_path,
        "origins:\n"
        "  server1: {serves: [twitter.com, example.com]}\n"
        "measurements:\n"
        "  - {fetch: twitter.com, role: target, size: 400 kB, reading: 400 kbit/s, receive_buffer: 16 kB}\n"
        "  - {fetch: example.com, role: control, size: 400 kB, receive_buffer: 16 kB}\n",
    )  # fmt: skip
    slow, bound = seen(run)
    # What the server could send in any five seconds is what was read, give or take a buffer's worth.
    for start in np.arange(0.5, slow.times_s[-1] - 5, 0.25):
        at = np.interp([start, start + 5], slow.times_s, slow.bytes)
        assert (at[1] - at[0]) * 8 == pytest.approx(5 * 400_000, abs=16_000 * 8)
    assert run.manifest["transfers"][0]["goodput_bps"] == pytest.approx(400_000, rel=0.05)
    # One window a round trip of 45 ms.
    assert bound.bytes[-1] * 8 / bound.times_s[-1] < 2 * 16_000 * 8 / 0.045


def test_an_upload_is_counted_by_its_origin_and_judged_like_a_download(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(
        run_scenario, tmp_path,
        "censors: {tspu: ru-tw-2021}\n"
        "origins:\n"
        "  server1: {serves: [twitter.com]}\n"
        "  server2: {serves: [example.com], think: 100 ms}\n"
        "measurements:\n"
        "  - {upload: twitter.com, role: target, size: 300 kB}\n"
        "  - {upload: example.com, role: control, size: 300 kB}\n",
        "lines=[{name: one, kind: landline, tspu: true}]",
    )  # fmt: skip
    slow, fast = run.manifest["transfers"]
    assert [(each["direction"], each["bytes"], each["throttled"]) for each in (slow, fast)] == [
        ("upload", 300_000, True), ("upload", 300_000, False),
    ]  # fmt: skip
    assert slow["goodput_bps"] == pytest.approx(140_000, rel=0.05)
    assert [str(each.direction) for each in seen(run)] == [str(Direction.UP)] * 2
    assert all(each.sender_flow is not None and each.bytes[-1] >= 300_000 for each in seen(run))


def test_of_an_upload_that_is_given_up_what_came_is_known(run_scenario: Runner, tmp_path: Path) -> None:
    path = tmp_path / "ends.yaml"
    path.write_text(
        SCENARIO
        + "origins: {server1: {serves: [twitter.com]}}\n"
        + "outages: [{link: [server1, right], from: 300 ms, until: 1 h, about: cut for good}]\n"
        + "measurements: [{upload: twitter.com, role: target, size: 2 MB, timeout: 5 s}]\n"
    )
    (transfer,) = run_scenario(scenario=str(path)).manifest["transfers"]
    assert transfer["error"].startswith("timed out")
    assert 50_000 < transfer["bytes"] < 1_000_000


def test_objects_follow_each_other_on_one_connection(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(
        run_scenario, tmp_path,
        "origins:\n"
        "  server1: {serves: [twitter.com]}\n"
        "  server2: {serves: [example.com], think: 200 ms}\n"
        "measurements:\n"
        "  - {fetch: twitter.com, role: target, size: 50 kB, objects: 3}\n"
        "  - {fetch: example.com, role: control, size: 50 kB, objects: 3}\n",
    )  # fmt: skip
    assert [each["bytes"] for each in run.manifest["transfers"]] == [150_000] * 2
    for transfer in run.manifest["transfers"]:
        records = [each for each in run.records.measurements() if each["transfer"] == transfer["id"]]
        assert [each["bytes"] for each in records if each["event"] == "object"] == [50_000, 100_000, 150_000]
        assert sum(each["event"] == "connected" for each in records) == 1
    fast, slow = (each["duration_s"] for each in run.manifest["transfers"])
    assert slow - fast == pytest.approx(0.6, abs=0.1)
