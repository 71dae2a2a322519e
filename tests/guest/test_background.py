"""Background traffic in the guest: shares, rates, arrivals, when it goes on, and what its records say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from testbed.guest.background import Cues
from testbed.records.capture_file import datagram, read_frames
from testbed.report.tidy import tidy_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

SCENARIO = """\
format: 1
title: beside
about: a dumbbell of 10 Mbit/s with a box on line a
date: 2021-03-10T09:00Z
network: {topology: dumbbell, parameters: {bottleneck_rate: 10 Mbit/s}}
lines:
  - {name: a, kind: landline, tspu: true}
  - {name: b, kind: landline, tspu: false}
censors: {tspu: ru-tw-2021}
origins:
  server1: {serves: [example.com]}
background:
  - {bulk: [server2, a], beside: example.com, lead: 3 s}
  - {udp: [server2, b], rate: 1 Mbit/s, packet: 500 B, until: 10 s}
  - {udp: [a, server2], rate: 400 kbit/s, packet: 250 B, arrivals: poisson}
  - {web: [server2, b], size: 'lognormal(20 kB, 1)', pause: 'exponential(300 ms)'}
measurements:
  - {fetch: example.com, size: 6 MB, role: control, lines: [a]}
  - {fetch: example.com, size: 100 kB, role: collateral, lines: [a], pause: 5 s}
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "beside.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def beside(run_scenario: Runner, scenario: Path) -> FinishedRun:
    return run_scenario(scenario=str(scenario))


def background(run: FinishedRun, name: str) -> list[Any]:
    return [each for each in run.manifest["background"] if each["name"] == name]


def arrivals_s(run: FinishedRun, capture: str, port: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    with (run.path / "captures" / capture).open("rb") as file:
        found = [(frame.t_ns, packet) for frame in read_frames(file) if (packet := datagram(frame)) is not None]
    wanted = port.to_bytes(2, "big")
    return np.array([t / 1e9 for t, packet in found if packet[9] == 17 and packet[22:24] == wanted])


def test_the_run_is_valid_and_the_log_agrees_with_the_captures(beside: FinishedRun) -> None:
    assert beside.manifest["valid"], beside.manifest["problems"]
    agreement = beside.manifest["certificate"]["agreement"]["a-tspu"]
    udp = background(beside, "udp a to server2")[0]
    assert agreement["compared"] > udp["bytes"] / 222  # its packets are among those compared
    assert all(each["ok"] for each in beside.manifest["background"])


def test_a_bulk_flow_goes_on_beside_its_measurements_alone(beside: FinishedRun) -> None:
    flows = background(beside, "bulk server2 to a")
    measured = beside.manifest["transfers"]
    assert len(flows) == len(measured) == 2
    for flow, transfer in zip(flows, measured, strict=True):
        ended = transfer["start_s"] + transfer["duration_s"]
        assert flow["start_s"] == pytest.approx(transfer["start_s"] - 3.0, abs=0.01)
        assert ended < flow["start_s"] + flow["duration_s"] < ended + 0.5  # one window's worth later


def assert_they_share(run: FinishedRun) -> None:
    fetch, bulk = run.manifest["transfers"][0], background(run, "bulk server2 to a")[0]
    assert 1.5e6 < fetch["goodput_bps"] < 7e6
    assert 2.5e6 < bulk["goodput_bps"] < 9e6


def test_a_bulk_flow_and_a_fetch_share_the_bottleneck(beside: FinishedRun) -> None:
    assert_they_share(beside)
    assert beside.manifest["transfers"][0]["role"] == "control"


def test_constant_arrivals_are_exact_at_the_sender(beside: FinishedRun) -> None:
    times = arrivals_s(beside, "server2-server.pcapng", 5002)
    assert len(times) == 2500  # 10 s of 250 packets, of which the last is due just before
    assert np.max(np.abs(np.diff(times) - 0.004)) < 20e-6


def test_poisson_arrivals_are_exponential(beside: FinishedRun) -> None:
    gaps = np.diff(arrivals_s(beside, "a-client.pcapng", 5003))
    assert len(gaps) > 1000
    assert stats.kstest(gaps, "expon", args=(0, 250 * 8 / 400_000)).pvalue > 0.01
    assert stats.kstest(gaps, "uniform", args=(0, 0.01)).pvalue < 0.001  # the test can tell


def test_the_table_has_rows_with_the_role_background(beside: FinishedRun) -> None:
    rows = tidy_rows([beside.path])
    own = [row for row in rows if row["role"] == "background"]
    assert {row["kind"] for row in own} == {"bulk", "udp", "web"}
    assert len(own) == len(beside.manifest["background"])


def test_streams_and_datagrams_go_over_ipv6_as_over_ipv4(run_scenario: Runner, scenario: Path) -> None:
    run = run_scenario("ip=6", scenario=str(scenario))
    assert run.manifest["valid"], run.manifest["problems"]
    flows = run.manifest["background"]
    assert {each["kind"] for each in flows} == {"bulk", "udp", "web"}
    assert all(each["ok"] for each in flows)
    connected = {each["transfer"]: each for each in run.records.measurements() if each["event"] == "connected"}
    assert all(":" in connected[each["id"]]["remote"][0] for each in flows)
    constant = background(run, "udp server2 to b")[0]
    assert constant["bytes"] == pytest.approx(10 * 125_000 * (500 - 48) / 500, rel=0.01)  # headers of 48 bytes, not 28
    assert_they_share(run)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(
    beside: FinishedRun, run_scenario: Runner, scenario: Path
) -> None:
    def history(run: FinishedRun) -> list[bytes]:
        return [path.read_bytes() for path in sorted((run.path / "captures").glob("*client.pcapng"))]

    assert history(run_scenario(scenario=str(scenario))) == history(beside)
    other = run_scenario(scenario=str(scenario), seed=2)
    assert not np.array_equal(
        arrivals_s(other, "a-client.pcapng", 5003)[:50], arrivals_s(beside, "a-client.pcapng", 5003)[:50]
    )


def test_a_commands_flows_are_not_those_of_the_background(run_scenario: Runner, scenario: Path) -> None:
    run = run_scenario(scenario=str(scenario), command=["sleep", "2"])
    assert run.manifest["transfers"] == []
    assert {each["kind"] for each in run.manifest["background"]} == {"udp", "web"}
    assert any("bulk server2 to a) did not happen" in note for note in run.manifest["notes"])


def test_a_border_that_is_busy_beside_the_target_slows_it_alone(run_scenario: Runner) -> None:
    run = run_scenario(scenario="confounders/busy-border")
    first, target, last = (each["goodput_bps"] for each in run.manifest["transfers"])
    assert run.manifest["valid"]
    assert target < 0.6 * min(first, last)


def test_connections_side_by_side_share_a_group_and_one_lead(run_scenario: Runner, scenario: Path) -> None:
    run = run_scenario(
        "background=[{bulk: [server2, a], beside: example.com, lead: 2 s}]",
        "measurements=[{fetch: example.com, size: 200 kB, objects: 2, parallel: 3, role: control, lines: [a]}]",
        scenario=str(scenario),
    )
    together = run.manifest["transfers"]
    assert [each["bytes"] for each in together] == [400_000] * 3
    assert max(each["start_s"] for each in together) < min(each["end_s"] for each in together)
    assert {each["group"] for each in together} == {row["group"] for row in tidy_rows([run.path])} - {None}
    (flow,) = run.manifest["background"]
    assert min(each["start_s"] for each in together) - flow["start_s"] == pytest.approx(2.0, abs=0.01)
    assert run.manifest["valid"]


def test_a_client_gives_the_longest_lead_that_is_wanted() -> None:
    cues = Cues()
    entry: Any = {"beside": ["a/01"], "lead_s": 2.0}
    cues.add(entry, 7)
    cues.add(entry | {"lead_s": 1.0}, 8)
    assert cues.pipes == {"a/01": [7, 8]}
    assert cues.lead_s == {"a/01": 2.0}
