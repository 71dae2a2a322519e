"""Every evasion once, on a mobile line with a TSPU, beside what was published about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from testbed.cli import main
from testbed.errors import ScenarioError
from testbed.middlebox.packet import RST, SYN, TCP, UDP, Direction, Packet
from testbed.records.capture_file import read_frames
from testbed.report.page import write_report
from testbed.report.table import transfer_table
from testbed.scenario import library
from testbed.scenario.model import Evade, Scenario, load_scenario
from testbed.scenario.plan import make_plan
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

MATRIX, MATRIX_2022 = "2021-matrix", "2022-tspu"
ICMP = 1


def evades(scenario: str) -> list[Evade]:
    found, _ = load_scenario(library.find("scenarios", scenario), [])
    return [each for each in found.measurements if isinstance(each, Evade)]


EVADES = evades(MATRIX)
ROWS = [
    pytest.param(scenario, number, each, id=f"{scenario}-{number + 1}-{each.evade}")
    for scenario in (MATRIX, MATRIX_2022)
    for number, each in enumerate(evades(scenario))
    if each.published
]


@pytest.fixture(scope="module")
def matrix(run_scenario: Runner) -> FinishedRun:
    return run_scenario(scenario=MATRIX)


@pytest.fixture(scope="module")
def matrices(matrix: FinishedRun, run_scenario: Runner) -> dict[str, FinishedRun]:
    return {MATRIX: matrix, MATRIX_2022: run_scenario(scenario=MATRIX_2022)}


def transfer(run: FinishedRun, evasion: str) -> dict[str, Any]:
    return next(each for each in run.manifest["transfers"] if each["name"] == evasion)


def test_the_matrix_is_a_valid_run(matrix: FinishedRun) -> None:
    assert matrix.manifest["problems"] == []
    assert all(each["ok"] for each in matrix.manifest["transfers"])


def test_the_matrix_has_every_evasion() -> None:
    assert {each.evade for each in EVADES} == set(EVASIONS)


@pytest.mark.parametrize(("scenario", "number", "row"), ROWS)
def test_outcome_is_the_published_one(matrices: dict[str, FinishedRun], scenario: str, number: int, row: Evade) -> None:
    found = matrices[scenario].manifest["transfers"][number]
    assert found["published"] == row.published
    assert ("throttled" if found["throttled"] else "not throttled") == row.published
    assert found["ok"]


def test_the_matrix_of_2022_is_a_valid_run(matrices: dict[str, FinishedRun]) -> None:
    assert matrices[MATRIX_2022].manifest["problems"] == []


def test_quic_is_read_in_either_version_and_over_several_datagrams(run_scenario: Runner) -> None:
    name = "rr1.googlevideo.com"
    options = ("{}", "{version: 2}", "{datagrams: 3}", "{version: 2, datagrams: 4}")
    rows = [f"{{evade: quic, role: target, sni: {name}, options: {each}}}" for each in options]
    rows += ["{evade: quic, role: control, sni: example.org}", f"{{evade: plain, role: control, sni: {name}}}"]
    run = run_scenario(
        f"measurements=[{', '.join(rows)}]", "lines=[{name: home, kind: landline, tspu: true}]", "date=2024-09-01",
        "censors={tspu: ru-yt-2024-quic}", scenario=MATRIX,
    )  # fmt: skip
    assert run.manifest["problems"] == []
    assert [each["throttled"] for each in run.manifest["transfers"]] == [True] * 4 + [False] * 2
    assert [each["bytes"] < 60_000 for each in run.manifest["transfers"]] == [True] * 4 + [False] * 2


def test_the_client_sees_what_the_ground_truth_says(matrix: FinishedRun) -> None:
    for each in matrix.manifest["transfers"]:
        assert (each["goodput_bps"] < 200_000) == each["throttled"] == bool(each["drops"]), each["name"]
        assert each["bytes"] == 100_000


@pytest.mark.parametrize(
    "evasion", ["tls-split", "tcp-reverse", "wrong-checksum", "wrong-sequence", "md5-option", "ip-fragments"]
)
def test_what_hides_the_hello_from_a_box_that_reassembles_nothing_evades(matrix: FinishedRun, evasion: str) -> None:
    assert not transfer(matrix, evasion)["throttled"]


def test_a_split_handshake_does_not_evade_the_boxes_of_2021(matrix: FinishedRun) -> None:
    assert transfer(matrix, "split-handshake")["throttled"]


@pytest.mark.parametrize(
    ("evasion", "lengths"),
    [
        ("plain", [517]),
        ("tcp-split", [5, 512]),
        ("tcp-split (at 1)", [1, 516]),
        ("tcp-split (at 115)", [115, 402]),
        ("tcp-reverse", [512, 5]),
        ("small-window", [576, 576, 48]),
        ("padding", [1448, 152]),
        ("record-first", [523]),
        ("tls-split", [522]),
        ("fake-random", [150, 517]),
        ("fake-hello", [517, 517]),
        ("injected-rst", [517, 0]),
        ("server-hello", []),
    ],
)
def test_the_box_is_passed_by_the_packets_that_were_meant(
    matrix: FinishedRun, evasion: str, lengths: list[int]
) -> None:
    """Payloads from the client at the port that faces it; of bare packets, the RST."""
    up = [
        packet for packet in client_packets(matrix, transfer(matrix, evasion)) if packet.payload or packet.flags & RST
    ]
    assert [len(packet.payload) for packet in up] == lengths


def client_packets(run: FinishedRun, of: dict[str, Any]) -> list[Packet]:
    port = client_port(run, of)
    return [packet for packet in packets_at_the_box(run) if packet.protocol == TCP and packet.sport == port]


def client_port(run: FinishedRun, of: dict[str, Any]) -> int:
    seen = [each for each in run.records.measurements() if each["transfer"] == of["id"]]
    port: int = next(each["local"][1] for each in seen if each["event"] == "connected")
    return port


def packets_at_the_box(run: FinishedRun) -> list[Packet]:
    with (run.path / "captures" / "mobile-tspu-inside.pcapng").open("rb") as file:
        data = [frame.data[14:] for frame in read_frames(file) if frame.data[12:14] == b"\x08\x00"]
    return [Packet.parse(each, Direction.UP) for each in data]


def acknowledged(run: FinishedRun, of: dict[str, Any]) -> list[int]:
    """What the far end said that it has of the client's bytes, in the order of their number."""
    port = client_port(run, of)
    packets = packets_at_the_box(run)
    first = next(each.seq for each in packets if each.sport == port and each.flags & SYN) + 1
    return sorted({(each.ack - first) % 2**32 for each in packets if each.protocol == TCP and each.dport == port})


@pytest.mark.parametrize("evasion", ["fake-random", "wrong-checksum", "wrong-sequence", "md5-option"])
def test_the_far_end_takes_nothing_of_a_fake(matrix: FinishedRun, evasion: str) -> None:
    assert acknowledged(matrix, transfer(matrix, evasion))[:2] == [0, 517]


def test_a_fake_that_arrives_is_taken_for_data(run_scenario: Runner) -> None:
    run = run_scenario("measurements=[{evade: fake-random, role: target, options: {ttl: 64}}]", scenario=MATRIX)
    assert acknowledged(run, run.manifest["transfers"][0])[:2] == [0, 150]


def test_a_fake_before_quic_dies_between_box_and_far_end(run_scenario: Runner) -> None:
    name = "rr1.googlevideo.com"
    ways = ("quic", "fake-quic", "fake-quic, options: {fake: hello}")
    rows = [f"{{evade: {way}, role: target, sni: {name}}}" for way in ways]
    run = run_scenario(
        f"measurements=[{', '.join(rows)}]", "lines=[{name: mobile, kind: landline, tspu: true}]", "date=2024-09-01",
        "censors={tspu: ru-yt-2024-quic}", scenario=MATRIX,
    )  # fmt: skip
    assert run.manifest["problems"] == []
    up = [each for each in packets_at_the_box(run) if each.protocol == UDP and each.dport == 443]
    by_port = [[each for each in up if each.sport == client_port(run, of)] for of in run.manifest["transfers"]]
    # Three routers stand before the box.
    assert [[(len(each.payload), each.ttl) for each in packets] for packets in by_port] == [
        [(1200, 61)], [(150, 3), (1200, 61)], [(1200, 3), (1200, 61)],
    ]  # fmt: skip
    errors = [each for each in packets_at_the_box(run) if each.protocol == ICMP]
    assert len(errors) == 2  # time exceeded, one a fake


def test_the_same_seed_gives_the_same_bytes(matrix: FinishedRun, run_scenario: Runner) -> None:
    again = run_scenario(scenario=MATRIX)
    for name in ("truth.jsonl", "measurements.jsonl", "captures/mobile-tspu-outside.pcapng"):
        assert (matrix.path / name).read_bytes() == (again.path / name).read_bytes()


def test_truth_of_an_idle_flow_is_that_of_its_download(matrix: FinishedRun) -> None:
    """The hello triggered, so the flow was throttled once; ten minutes later, when it mattered, it was not."""
    idle = transfer(matrix, "idle")
    connected = next(
        each
        for each in matrix.records.measurements()
        if each["transfer"] == idle["id"] and each["event"] == "connected"
    )
    port = connected["local"][1]
    truth = list(matrix.records.truth())
    flows = [each["flow"] for each in truth if each["event"] == "flow_opened" and each["inside_port"] == port]
    started = [each["flow"] for each in truth if each["event"] == "throttling_started"]
    assert len(flows) == 2
    assert flows[0] in started
    assert flows[1] not in started
    assert not idle["throttled"]
    assert idle["duration_s"] < 1


def test_the_table_shows_what_was_published(matrix: FinishedRun) -> None:
    lines = transfer_table(matrix.manifest).splitlines()
    assert lines[0].split() == ["line", "transfer", "role", "goodput", "time", "published", "ground", "truth"]
    assert any("quic (version 2)" in line and " – " in line for line in lines)


@pytest.mark.parametrize(
    ("measurement", "expected"),
    [
        ("{evade: teleport, role: target}", r"measurements.0.evade: no evasion 'teleport' \(there: plain, "),
        ("{evade: tcp-split, role: target, options: {att: 3}}", r"options.att: unknown option \(known: at, hello\)"),
        ("{evade: plain, role: target, options: {at: 3}}", r"options.at: unknown option \(known: hello\)"),
        ("{evade: tcp-split, role: target, options: {at: 517}}", "options.at: expected a whole number from 1 to 516"),
        ("{evade: idle, role: target, options: {wait: 610}}", "options.wait: .*the unit is missing"),
        ("{evade: idle, fetch: example.com, role: target}", "exactly one of the keys"),
        ("{evade: plain, role: target, published: perhaps}", "published: "),
        ("{evade: plain, role: target, sni: 'twitter.com\\n'}", "sni: "),
        ("{evade: plain, role: target, size: 0 B}", "size: expected greater than 0"),
        ("{evade: plain, role: target, options: [at]}", "options: "),
        ("{evade: tcp-split, role: target, options: {at: {at: 1}}}", "options.at: expected a whole number"),
        ("{evade: [plain], role: target}", "evade: "),
    ],
)
def test_unknown_names_and_options_are_refused(measurement: str, expected: str) -> None:
    with pytest.raises(ScenarioError, match=expected):
        make_plan(
            library.find("scenarios", MATRIX), [f"measurements=[{measurement}]"], seed=None, engine="virtual",
            command=None,
        )  # fmt: skip


def test_an_evasion_needs_a_far_end() -> None:
    with pytest.raises(ScenarioError, match=r"replay_server: .*far end"):
        make_plan(library.find("scenarios", MATRIX), ["replay_server=null"], seed=None, engine="virtual", command=None)


def test_the_table_counts_the_published_outcomes_that_agree(matrix: FinishedRun) -> None:
    count = sum(1 for each in EVADES if each.published)
    assert f"{count} of {count} published outcomes agree" in transfer_table(matrix.manifest)


def test_an_evasion_is_shown_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "fake-random"]) == 0
    assert "time-to-live of the fake" in capsys.readouterr().out
    assert main(["list", "evasions"]) == 0
    assert capsys.readouterr().out.split() == list(EVASIONS)


def test_the_page_shows_what_was_published(matrix: FinishedRun, tmp_path: Path) -> None:
    page = write_report(matrix.path, tmp_path)[0].read_text()
    assert re.search(r"<th[^>]*>published</th>", page)
    assert page.count("<td>not throttled</td><td>not throttled") == sum(  # and why, where the box did not find it
        each.published == "not throttled" for each in EVADES
    )


def test_editors_know_the_evasions() -> None:
    assert set(Scenario.model_json_schema()["$defs"]["Evade"]["properties"]["evade"]["enum"]) == set(EVASIONS)
