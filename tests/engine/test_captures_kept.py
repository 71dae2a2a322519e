"""What is kept of captures changes no verdict, and no comparison but of what it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from testbed.detectors.detect import detect
from testbed.detectors.sources.captures import transfers_from_captures
from testbed.engine.judge.compare_runs import compare_runs
from testbed.records.standing import standing
from testbed.report.series import segments

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.messages import Message
    from tests.conftest import FinishedRun, Runner

HEADERS = "captures={client: headers, server: headers, box: headers}"
TWO_PACKETS = (
    "lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]",
    "measurements=[{evade: padding, role: target}, {evade: tcp-reverse, role: target}, {evade: plain, role: target}]",
)  # fmt: skip


@pytest.fixture(scope="module")
def headers(run_scenario: Runner) -> FinishedRun:
    """The first day, of which headers are kept."""
    return run_scenario(HEADERS)


@pytest.fixture(scope="module")
def compared(run_scenario: Runner) -> FinishedRun:
    """Three hellos, in two packets or one; captures at the box are compared and dropped."""
    return run_scenario(*TWO_PACKETS, "captures={client: headers, box: compared}")


def test_every_detector_says_the_same_of_headers_as_of_whole_captures(
    first_day: FinishedRun, headers: FinishedRun
) -> None:
    rows = [
        [(row.subject, replace(row.verdict, why=row.verdict.why.replace(".gz", ""))) for row in detect([run.path])]
        for run in (first_day, headers)
    ]
    assert len({verdict.detector for _, verdict in rows[0]}) == 23
    assert rows[0] == rows[1]


def test_the_comparison_of_headers_finds_what_that_of_whole_captures_does(
    first_day: FinishedRun, headers: FinishedRun
) -> None:
    whole, cut = (run.manifest["certificate"]["agreement"] for run in (first_day, headers))
    for box, found in whole.items():
        not_compared = cut[box]["not_compared"]
        assert {**cut[box], "not_compared": {}} == {**found, "not_compared": {}}
        assert not_compared.keys() - found["not_compared"].keys() == {
            "payloads, of which captures of headers have the checksum"
        }
    (drops,) = (check for check in headers.manifest["checks"] if check["check"] == "drops")
    assert drops["state"] == "passed"
    assert "not compared" in drops["about"]


def test_a_run_of_headers_stands_and_is_drawn_like_any_other(first_day: FinishedRun, headers: FinishedRun) -> None:
    assert standing(headers.records) == []
    transfer = first_day.transfer("mobile", "twitter.com")
    whole, cut = (segments(run.records, transfer) for run in (first_day, headers))
    assert (whole.sequence.tolist(), whole.dropped.tolist()) == (cut.sequence.tolist(), cut.dropped.tolist())


def test_headers_take_a_tenth_of_the_room(first_day: FinishedRun, headers: FinishedRun) -> None:
    sizes = [sum(each.stat().st_size for each in (run.path / "captures").iterdir()) for run in (first_day, headers)]
    assert sizes[1] * 10 < sizes[0]


def test_a_hello_of_two_packets_names_its_connection_in_headers_too(
    run_scenario: Runner, compared: FinishedRun
) -> None:
    whole = run_scenario(*TWO_PACKETS)
    names = [
        [each.server_name for each in transfers_from_captures({path: ""})[0]]
        for path in (
            whole.path / "captures" / "mobile-client.pcapng", compared.path / "captures" / "mobile-client.pcapng.gz",
        )
    ]  # fmt: skip
    assert names[0] == names[1]
    assert names[0].count("twitter.com") == 3


def test_captures_that_are_only_compared_leave_no_file(compared: FinishedRun) -> None:
    assert [path.name for path in (compared.path / "captures").iterdir()] == ["mobile-client.pcapng.gz"]
    found = compared.manifest["certificate"]["agreement"]["mobile-tspu"]
    assert found["compared"] > found["dropped"] > 0
    assert standing(compared.records) == []


def test_captures_that_are_only_compared_are_given_back_while_the_guest_writes_them(
    run_scenario: Runner, tmp_path: Path
) -> None:
    """How soon depends on the machine; that it is done before the guest has ended does not."""
    given_back: list[int] = []

    def look(_: Message) -> None:
        for path in tmp_path.glob("run/.guest/output/captures/mobile-tspu-*.pcap"):
            status = path.stat()
            given_back.append(status.st_size - status.st_blocks * 512)

    run = run_scenario(
        "lines=[{name: mobile, kind: mobile, tspu: true, down: 4 Mbit/s}]", "recordings=[]", "outages=[]",
        "measurements=[{fetch: example.com, role: control, size: 40 MB, timeout: 10 min}]",
        "captures={box: compared}", progress=look, path=tmp_path / "run",
    )  # fmt: skip
    assert run.manifest["valid"]
    assert max(given_back) >= 1 << 18  # the least that is worth a call


def test_packed_records_of_two_runs_are_compared(run_scenario: Runner, compared: FinishedRun) -> None:
    again = run_scenario(*TWO_PACKETS, "captures={client: headers, box: compared}")
    found = compare_runs(compared.path, again.path)
    assert (found.causes, found.differences) == ((), ())
    assert list(again.records.each_truth()) == list(compared.records.each_truth()) != []
