"""HTTP/2 and HTTP/3 in the guest: what a box makes of them, how fast they are, and that a seed is a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.engine.judge.compare_runs import compare_runs
from testbed.records.measurements import by_transfer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

HEAD = """\
format: 1
title: newer protocols
about: one origin that speaks three
date: 2024-08-01T09:00Z
"""
CLEAN = """\
network: {topology: dumbbell}
lines:
  - {name: one, kind: landline, tspu: false, down: 20 Mbit/s, up: 20 Mbit/s}
origins:
  server1: {serves: [example.com], protocols: [http/1.1, http/2, http/3]}
measurements:
  - {fetch: example.com, role: control, size: 5 MB}
  - {fetch: example.com, role: control, size: 5 MB, protocol: http/2}
  - {fetch: example.com, role: control, size: 5 MB, protocol: http/3}
"""
YOUTUBE = """\
network: {topology: russia2021}
lines:
  - {name: boxed, kind: landline, tspu: true}
censors: {tspu: ru-yt-2024-quic}
origins:
  origin: {serves: [r1.googlevideo.com, example.com], protocols: [http/1.1, http/2, http/3]}
measurements:
  - {fetch: r1.googlevideo.com, role: target, size: 150 kB, protocol: http/3}
  - {fetch: example.com, role: control, size: 75 kB, protocol: http/3, objects: 2}
  - {fetch: r1.googlevideo.com, role: target, size: 150 kB}
  - {fetch: r1.googlevideo.com, role: target, size: 150 kB, protocol: http/2, client: curl}
  - {fetch: r1.googlevideo.com, role: target, size: 50 kB, protocol: http/3, parallel: 2}
"""


def measured(run_scenario: Runner, folder: Path, text: str, *settings: str) -> FinishedRun:
    path = folder / "scenario.yaml"
    path.write_text(HEAD + text)
    run = run_scenario(*settings, scenario=str(path))
    assert run.manifest["valid"], run.manifest["problems"]
    return run


def test_on_a_clean_line_http3_is_nearly_as_fast_as_tcp(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(run_scenario, tmp_path, CLEAN)
    over_tcp, over_http2, over_http3 = (each["goodput_bps"] or 0.0 for each in run.manifest["transfers"])
    assert over_http2 >= 0.9 * over_tcp
    assert over_http3 >= 0.9 * over_tcp


def test_the_box_sees_the_name_in_the_initial_and_only_there(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(run_scenario, tmp_path, YOUTUBE)
    found = [(each["protocol"], each["throttled"], each["rule"], each["ok"]) for each in run.manifest["transfers"]]
    assert found == [
        ("http/3", True, "googlevideo", True),
        ("http/3", False, None, True),
        ("http/1.1", False, None, True),
        ("http/2", False, None, True),
        ("http/3", True, "googlevideo", True),
        ("http/3", True, "googlevideo", True),
    ]
    assert all(each["drops"] for each in run.manifest["transfers"] if each["throttled"])
    seen = by_transfer(run.records.measurements())
    events = [each["event"] for each in seen["boxed/01-r1.googlevideo.com"] if each["event"] != "bytes"]
    assert events == ["started", "connected", "handshake", "finished"]


def test_the_same_seed_gives_the_same_bytes(run_scenario: Runner, tmp_path: Path) -> None:
    first = measured(run_scenario, tmp_path, YOUTUBE)
    second = measured(run_scenario, tmp_path, YOUTUBE)
    found = compare_runs(first.path, second.path)
    assert (found.causes, found.differences) == ((), ())


def test_a_box_that_drops_quic_leaves_a_client_that_times_out(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(
        run_scenario, tmp_path, YOUTUBE, "censors={tspu: ru-quic-2022}", "date=2022-03-10T09:00Z",
        "measurements=[{fetch: example.com, role: target, size: 50 kB, protocol: http/3, timeout: 10 s}, "
        "{fetch: example.com, role: target, size: 50 kB}]",
    )  # fmt: skip
    over_quic, over_tcp = run.manifest["transfers"]
    assert (over_quic["ok"], over_quic["error"]) == (False, "timed out while connecting")
    assert (over_quic["rule"], over_quic["action"]) == ("quic-version-1", "drop")
    assert over_quic["drops"] >= 3  # the Initial, and what the client sent when no answer came
    assert over_tcp["ok"]


def test_both_go_over_ipv6(run_scenario: Runner, tmp_path: Path) -> None:
    run = measured(
        run_scenario, tmp_path, YOUTUBE, "ip=6",
        "measurements=[{fetch: r1.googlevideo.com, role: target, size: 50 kB, protocol: http/3}, "
        "{fetch: r1.googlevideo.com, role: target, size: 50 kB, protocol: http/2}, "
        "{fetch: r1.googlevideo.com, role: target, size: 50 kB, protocol: http/2, client: curl}]",
    )  # fmt: skip
    assert [(each["ok"], each["throttled"]) for each in run.manifest["transfers"]] == [
        (True, True), (True, False), (True, False),
    ]  # fmt: skip


def test_quic_is_throttled_over_ipv6_as_over_ipv4(run_scenario: Runner, tmp_path: Path) -> None:
    fetch = "fetch: r1.googlevideo.com, role: target, size: 600 kB, protocol: http/3"
    run = measured(
        run_scenario, tmp_path, YOUTUBE, "captures=[client, server, box]",
        f"measurements=[{{{fetch}}}, {{{fetch}, ip: 6}}, {{fetch: example.com, role: control, size: 600 kB, "
        "protocol: http/3, ip: 6}]",
    )  # fmt: skip
    over_ipv4, over_ipv6, control = run.manifest["transfers"]
    assert [each["throttled"] for each in (over_ipv4, over_ipv6, control)] == [True, True, False]
    assert over_ipv4["rule"] == over_ipv6["rule"]
    assert over_ipv4["goodput_bps"] is not None
    assert control["goodput_bps"] is not None
    assert over_ipv6["goodput_bps"] == pytest.approx(over_ipv4["goodput_bps"], rel=0.1)
    assert control["goodput_bps"] > 5 * over_ipv4["goodput_bps"]
    agreement = run.manifest["certificate"]["agreement"]["boxed-tspu"]
    assert agreement["logged"] == over_ipv4["drops"] + over_ipv6["drops"]


def test_uploads_go_over_http3_and_are_throttled_by_the_name_in_their_initial(
    run_scenario: Runner, tmp_path: Path
) -> None:
    run = measured(
        run_scenario, tmp_path, YOUTUBE, "captures=[client, server, box]",
        "origins={origin: {serves: [r1.googlevideo.com, example.com], protocols: [http/1.1, http/3]}}",
        "measurements=[{upload: r1.googlevideo.com, role: target, size: 300 kB, protocol: http/3}, "
        "{upload: example.com, role: control, size: 300 kB, protocol: http/3}, "
        "{upload: example.com, role: control, size: 300 kB, protocol: http/3, ip: 6}, "
        "{upload: example.com, role: control, size: 300 kB}]",
    )  # fmt: skip
    transfers = run.manifest["transfers"]
    assert [(each["ok"], each["bytes"], each["protocol"]) for each in transfers] == [
        *[(True, 300_000, "http/3")] * 3, (True, 300_000, "http/1.1"),
    ]  # fmt: skip
    assert all(each["direction"] == "upload" for each in transfers)
    assert [each["throttled"] for each in transfers] == [True, False, False, False]
    sides = {each["side"] for each in run.records.measurements() if each["event"] == "bytes"}
    assert sides == {"server"}  # only who takes an upload sees it come


THINKING = """\
  origin: {serves: [example.com], protocols: [http/1.1, http/3], think: 100 ms}
measurements:
  - {fetch: example.com, role: control, size: 50 kB, protocol: http/3}
  - {fetch: example.com, role: control, size: 50 kB}
"""
SLOW = """\
  origin: {serves: [example.com], protocols: [http/1.1, http/3], rate: 1 Mbit/s}
measurements:
  - {fetch: example.com, role: control, size: 50 kB, protocol: http/3}
  - {fetch: example.com, role: control, size: 50 kB}
"""
TAKING = """\
  origin: {serves: [example.com], protocols: [http/1.1, http/3]}
  university: {serves: [upload.example]}
measurements:
  - {fetch: example.com, role: control, size: 50 kB, protocol: http/3}
  - {upload: upload.example, role: control, size: 50 kB}
"""


@pytest.mark.parametrize("origins", [THINKING, SLOW, TAKING])
def test_http3_stands_beside_the_testbeds_own_origin(run_scenario: Runner, tmp_path: Path, origins: str) -> None:
    head, _, _ = YOUTUBE.partition("  origin:")
    run = measured(run_scenario, tmp_path, head.replace("censors: {tspu: ru-yt-2024-quic}\n", "") + origins)
    assert [(each["ok"], each["bytes"]) for each in run.manifest["transfers"]] == [(True, 50_000), (True, 50_000)]


SLOW = """\
network: {topology: dumbbell}
lines:
  - {name: one, kind: landline, tspu: false, down: 20 Mbit/s, up: 10 Mbit/s}
origins:
  server1: {serves: [example.com], protocols: [http/1.1, http/2], rate: 2 Mbit/s, think: 300 ms}
measurements:
  - {fetch: example.com, role: control, size: 500 kB}
  - {fetch: example.com, role: control, size: 500 kB, protocol: http/2}
  - {fetch: example.com, role: control, size: 500 kB, protocol: http/2, client: curl}
  - {upload: example.com, role: control, size: 1 MB}
  - {upload: example.com, role: control, size: 1 MB, protocol: http/2}
"""


def test_our_own_server_is_as_slow_over_http2_as_over_http1_and_takes_uploads(
    run_scenario: Runner, tmp_path: Path
) -> None:
    run = measured(run_scenario, tmp_path, SLOW)
    down, down2, by_curl, up, up2 = (each["goodput_bps"] or 0.0 for each in run.manifest["transfers"])
    assert all(each["ok"] for each in run.manifest["transfers"])
    assert [down2, by_curl] == pytest.approx([down, down], rel=0.02)
    assert 4e6 / 2.6 < down < 4e6 / 2.3  # of 4 Mbit: 2 s, 300 ms of thinking, and the round trips before
    assert up2 == pytest.approx(up, rel=0.1)
    assert up2 > 5e6


@pytest.mark.usefixtures("nginx")
def test_nginx_and_our_own_server_speak_the_same_http2(run_scenario: Runner, tmp_path: Path) -> None:
    fetch = "measurements=[{fetch: example.com, role: control, size: 5 MB, protocol: http/2}]"
    found = [
        measured(run_scenario, tmp_path, CLEAN, fetch, f"programs.origin={program}").manifest["transfers"][0]
        for program in ("nginx", "builtin")
    ]
    speeds = [each["goodput_bps"] or 0.0 for each in found]
    assert speeds[1] == pytest.approx(speeds[0], rel=0.05)
