"""Whole runs in a guest: what the first day shows, and that a seed fixes every byte of it."""

from __future__ import annotations

import errno
import hashlib
import re
import statistics
from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.engine.uml import spool
from testbed.errors import RecordError, TestbedError
from testbed.middlebox.adapters.pcap import inspect_box
from testbed.middlebox.profile import Profile
from testbed.records.box_plan import profiles_of
from testbed.records.run import RunDirectory
from testbed.report.series import segments
from testbed.scenario import library

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

SMALL = (
    "measurements=[{fetch: twitter.com, role: target, size: 60 kB}, {fetch: example.com, role: control, size: 60 kB}]"
)
ONE_LINE = "lines=[{name: mobile, kind: mobile, tspu: true}]"
NAMES = (
    "measurements=["
    + ", ".join(
        f"{{fetch: {name}, role: target, size: 30 kB}}"
        for name in ("twitter.com", "abs.twimg.com", "t.co", "reddit.com", "microsoft.com", "throttletwitter.com")
    )
    + "]"
)
NO_RECORDINGS = "recordings=[]"

THROTTLED_FROM_THE_START = {
    "abs.twimg.com", "twitter.com", "t.co", "reddit.com", "microsoft.com", "throttletwitter.com",
    "replay twimg-image, download, original", "replay twimg-image, upload, original",
}  # fmt: skip


def throttled_names(run: FinishedRun, line: str) -> set[str]:
    return {each["name"] for each in run.manifest["transfers"] if each["line"] == line and each["throttled"]}


def checksums(run: FinishedRun) -> dict[str, str]:
    files = sorted((run.path / "captures").iterdir())
    files += [run.path / name for name in ("truth.jsonl", "measurements.jsonl", "tls-secrets.txt")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_first_day_is_a_valid_run(first_day: FinishedRun) -> None:
    assert first_day.manifest["problems"] == []
    assert first_day.manifest["valid"] is True
    assert first_day.manifest["state"] == "complete"


@pytest.mark.parametrize("line", ["mobile", "landline"])
def test_lines_with_a_tspu_are_throttled_for_twitter_and_its_collateral(first_day: FinishedRun, line: str) -> None:
    assert throttled_names(first_day, line) == THROTTLED_FROM_THE_START


def test_a_line_without_a_tspu_is_not_throttled(first_day: FinishedRun) -> None:
    assert throttled_names(first_day, "rostelecom") == set()


def test_log_and_captures_name_the_same_dropped_packets(first_day: FinishedRun) -> None:
    for found in first_day.manifest["certificate"]["agreement"].values():
        assert found["logged"] == found["dropped"] > 100
        assert (found["only_captures"], found["only_log"], found["unexplained"]) == (0, 0, 0)


def test_the_failed_gateway_is_not_throttling(first_day: FinishedRun) -> None:
    visits = [each for each in first_day.manifest["transfers"] if each["name"] == "kremlin.ru"]
    early, late = visits[::2], visits[1::2]
    assert [each["error"] for each in early] == ["timed out while connecting"] * 3
    assert all(each["ok"] for each in late)
    assert not any(each["throttled"] for each in visits)


def test_a_policed_direction_conforms_to_the_configured_rate(first_day: FinishedRun) -> None:
    """Between the first and the last drop, at both of which the bucket is empty, 140 kbit/s of IP packets pass."""
    for direction in ("download", "upload"):
        transfer = first_day.transfer("mobile", f"replay twimg-image, {direction}, original")
        sent = segments(first_day.records, transfer)
        drops, passed = np.flatnonzero(sent.dropped), np.flatnonzero(~sent.dropped)
        between = passed[(passed > drops[0]) & (passed < drops[-1])]
        headers = 20 + 32  # IPv4, TCP with timestamps
        rate = (sent.length[between] + headers).sum() * 8 / (sent.times_s[drops[-1]] - sent.times_s[drops[0]])
        assert rate == pytest.approx(140_000, rel=0.005)


def test_the_round_trip_is_as_planned(first_day: FinishedRun) -> None:
    plan = first_day.records.plan
    measurements = first_day.records.measurements()
    for line in ("mobile", "landline", "rostelecom"):
        transfer = first_day.transfer(line, "example.com")["id"]
        at = {each["event"]: each["t"] for each in measurements if each["transfer"] == transfer}
        assert at["connected"] - at["started"] == pytest.approx(plan["rtt_s"][line]["origin"], abs=0.0001)


def test_inverted_replays_are_fast_and_originals_slow(first_day: FinishedRun) -> None:
    for line in ("mobile", "landline"):
        for direction in ("download", "upload"):
            original = first_day.transfer(line, f"replay twimg-image, {direction}, original")
            inverted = first_day.transfer(line, f"replay twimg-image, {direction}, inverted")
            assert original["duration_s"] > 5 * inverted["duration_s"]
            assert original["bytes"] == inverted["bytes"] >= 383_000


def test_captures_carry_the_tls_secrets(first_day: FinishedRun) -> None:
    secrets = (first_day.path / "tls-secrets.txt").read_bytes()
    secrets = b"".join(line + b"\n" for line in secrets.splitlines() if not line.startswith(b"#"))
    assert b"CLIENT_TRAFFIC_SECRET_0" in secrets
    for capture in (first_day.path / "captures").glob("*.pcapng"):
        assert secrets in capture.read_bytes()


def test_the_same_seed_gives_the_same_bytes(run_scenario: Runner) -> None:
    first, second = (run_scenario(SMALL, NO_RECORDINGS, seed=7) for _ in range(2))
    assert checksums(first) == checksums(second)


def test_another_seed_gives_other_bytes(run_scenario: Runner) -> None:
    first, second = (run_scenario(SMALL, NO_RECORDINGS, ONE_LINE, seed=seed) for seed in (7, 8))
    differing = {name for name, digest in checksums(first).items() if checksums(second)[name] != digest}
    assert {"mobile-client.pcapng", "truth.jsonl", "tls-secrets.txt"} <= differing


TWITTER = {"twitter.com", "abs.twimg.com", "t.co"}


@pytest.mark.parametrize(
    ("date", "mobile", "landline"),
    [
        ("2021-03-10T06:59Z", set(), set()),
        ("2021-03-11T09:00Z", TWITTER | {"throttletwitter.com"}, TWITTER | {"throttletwitter.com"}),
        ("2021-04-03", TWITTER, TWITTER),
        ("2021-05-18", TWITTER, set()),
    ],
)
def test_later_dates_free_names_and_lines(
    run_scenario: Runner, date: str, mobile: set[str], landline: set[str]
) -> None:
    run = run_scenario(NAMES, NO_RECORDINGS, f"date={date}", "captures=[]")
    assert throttled_names(run, "mobile") == mobile
    assert throttled_names(run, "landline") == landline
    assert throttled_names(run, "rostelecom") == set()


def test_coarse_refill_is_slower_and_the_log_still_agrees(run_scenario: Runner) -> None:
    run = run_scenario(
        "measurements=[{fetch: twitter.com, role: target}]", NO_RECORDINGS, ONE_LINE, "meter=coarse_refill"
    )
    transfer = run.transfer("mobile", "twitter.com")
    assert run.manifest["valid"]
    assert transfer["throttled"]
    assert 90_000 < transfer["goodput_bps"] < 120_000


def test_a_command_runs_on_the_client_and_its_status_comes_back(run_scenario: Runner) -> None:
    run = run_scenario(NO_RECORDINGS, command=["sh", "-c", "date -u +%F; exit 7"])
    assert run.manifest["certificate"]["command_status"] == 7
    assert (run.path / "command.stdout").read_text() == "2021-03-10\n"


def test_the_guest_writes_to_its_run_directory_alone(run_scenario: Runner, tmp_path: Path) -> None:
    escape = tmp_path / "escaped"
    script = f"""
        touch {escape}; mount -o remount,rw /; touch {escape}
        mkdir /run/host; mount -t hostfs none /run/host -o {tmp_path}; touch /run/host/escaped
        touch /run/output/output/inside
    """
    run = run_scenario(NO_RECORDINGS, command=["sh", "-c", script], privileged=True)
    assert (run.path / "output" / "inside").exists()
    if run.manifest["landlock"] == 0:
        pytest.skip("this machine's kernel has no Landlock; boot one of 5.13 or later with lsm=landlock")
    assert not escape.exists()


def test_hops_answer_traceroute_and_the_box_does_not(run_scenario: Runner) -> None:
    """Time-to-live 3 dies at the third router, 4 at the fourth: the box between them is no hop."""
    script = "for ttl in 3 4; do ping -n -c 1 -W 2 -t $ttl example.com; done"
    run = run_scenario(NO_RECORDINGS, ONE_LINE, command=["sh", "-c", script])
    output = (run.path / "command.stdout").read_text()
    replies = [line.split()[1] for line in output.splitlines() if "Time to live exceeded" in line]
    assert len(set(replies)) == 2


def test_mininets_own_command_builds_the_topology(run_scenario: Runner) -> None:
    """``mn --custom topologies/russia2021.py`` works, with stock TCLink links."""
    topology = library.find("topologies", "russia2021")
    script = f"""
        cd /run/tmp
        echo 'mobile ping -c 2 state' > commands
        sleep 100 | $TESTBED_PYTHON -W ignore "$(dirname $TESTBED_PYTHON)/mn" --custom {topology} --link tc \\
            --topo russia2021,hops=2,box_after_hop=1,blocker_after_hop=1 --controller none --pre commands --test none
    """
    run = run_scenario(NO_RECORDINGS, command=["sh", "-c", script], privileged=True)
    assert re.search("[12] received", (run.path / "command.stderr").read_text())  # where Mininet writes


def test_throttled_speeds_are_alike_on_every_line(first_day: FinishedRun) -> None:
    speeds = [each["goodput_bps"] for each in first_day.manifest["transfers"] if each["throttled"]]
    assert 130_000 < min(speeds) <= statistics.median(speeds) <= max(speeds) < 150_000


def test_the_model_drops_the_packets_that_the_live_box_dropped(first_day: FinishedRun, run_scenario: Runner) -> None:
    """Captured arrivals through the pure box: the kernel's policer, and the meter in user space, decide the same."""
    coarse = run_scenario(
        "measurements=[{fetch: twitter.com, role: target}]", NO_RECORDINGS, ONE_LINE, "meter=coarse_refill"
    )
    for run in (first_day, coarse):
        for name, box in run.records.plan["boxes"].items():
            rows = inspect_box(
                run.path / "captures" / f"{name}-inside.pcapng",
                run.path / "captures" / f"{name}-outside.pcapng",
                Profile.from_dict(profiles_of(box)[0]),
                seed=box["seed"],
                inside=["100.64.0.0/10"],
            )
            by_model = [(row.packet.direction.value, row.packet.seq, row.packet.ip_id) for row in rows if row.dropped]
            by_box = [
                (record["direction"], record["seq"], record["ip_id"])
                for record in run.records.truth(name)
                if record["event"] == "packet_dropped"
            ]
            assert len(by_box) > 50
            assert by_model == by_box


def test_a_file_elsewhere_that_cannot_be_had_is_not_blamed_on_the_run_directory(
    run_scenario: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def closed() -> Path:
        raise PermissionError(errno.EACCES, "Permission denied", "/somebody/elses/cache")

    monkeypatch.setattr(spool, "guest_code", closed)
    with pytest.raises(TestbedError, match=r"^/somebody/elses/cache: Permission denied$") as failure:
        run_scenario(path=tmp_path / "run")
    assert not isinstance(failure.value, RecordError)
    assert RunDirectory.open(tmp_path / "run").manifest()["problems"] == ["/somebody/elses/cache: Permission denied"]
