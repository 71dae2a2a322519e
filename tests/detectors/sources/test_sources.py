"""Observations from captures, tables, OONI, ndt7 and runs."""

from __future__ import annotations

import contextlib
import gzip
import json
import lzma
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.detectors.observation import Direction, Ending, Observation, Role
from testbed.detectors.sources.observation_json import observation_to_json
from testbed.detectors.sources.observe import observe
from testbed.detectors.sources.run import split_by_subject
from testbed.detectors.sources.tables import speeds_from_csv
from testbed.detectors.tools.subjects import pairs
from testbed.errors import InputError, InvalidRunError, RecordError
from testbed.records.run import process_start
from testbed.records.transfers import summarise_transfers
from testbed.report.page import write_report
from tests.capture.frames import (
    ACK,
    CLIENT,
    FIN,
    RST,
    SERVER,
    START_US,
    SYN,
    Stamped,
    client_hello,
    options,
    pcap,
    tcp,
)
from tests.detectors.build import observation, steady

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

RTT_US = 100_000


def connection(
    *,
    at_server: bool,
    name: str = "abs.twimg.com",
    port: int = 40000,
    start_us: int = 0,
    end: int = FIN,
    up: bool = False,
) -> list[Stamped]:
    """Return a fetch of ten packets, as a capture at one end sees it."""
    client, mss = (CLIENT[0], port), options(mss=1460)
    half = RTT_US // 2
    sender, receiver = (client, SERVER) if up else (SERVER, client)
    base, other = (600, 2) if up else (1, 600)

    def at(time_us: int, frame: bytes, *, from_server: bool) -> Stamped:
        shift = (0 if from_server else half) if at_server else (half if from_server else 0)
        return Stamped(START_US + start_us + time_us + shift, frame)

    hello = client_hello(name).ljust(599, b"\0")
    isn = port * 7919  # initial numbers differ between connections
    packets = [
        at(0, tcp(client, SERVER, seq=isn, flags=SYN, tcp_options=mss), from_server=False),
        at(half, tcp(SERVER, client, seq=isn, ack=isn + 1, flags=SYN | ACK, tcp_options=mss), from_server=True),
        at(RTT_US, tcp(client, SERVER, seq=isn + 1, ack=isn + 1), from_server=False),
        at(RTT_US + 1, tcp(client, SERVER, seq=isn + 1, ack=isn + 1, payload=hello), from_server=False),
    ]
    base, other = isn + base, isn + other
    for number in range(10):
        sent = RTT_US * 2 + number * 1000
        payload = tcp(sender, receiver, seq=base + number * 1000, ack=other, payload=bytes(1000))
        packets.append(at(sent, payload, from_server=not up))
        answer = tcp(receiver, sender, seq=other, ack=base + (number + 1) * 1000)
        packets.append(at(sent + half, answer, from_server=up))
    closing = tcp(sender, receiver, seq=base + 10_000, ack=other, flags=ACK | end)
    packets.append(at(RTT_US * 4, closing, from_server=not up))
    return sorted(packets, key=lambda packet: packet.t_us)


def write(path: Path, packets: list[Stamped]) -> Path:
    path.write_bytes(pcap(packets, link_type=101))
    return path


@pytest.mark.parametrize("at_server", [True, False])
@pytest.mark.parametrize("up", [True, False])
def test_a_capture_tells_direction_end_and_times(tmp_path: Path, at_server: bool, up: bool) -> None:  # noqa: FBT001
    path = write(tmp_path / "one.pcap", connection(at_server=at_server, up=up))
    (found,) = observe([path]).transfers
    assert found.direction is (Direction.UP if up else Direction.DOWN)
    assert (found.sender_flow is not None) == (at_server != up)
    assert (found.receiver_flow is not None) == (at_server == up)
    assert (found.server_name, found.ending) == ("abs.twimg.com", Ending.COMPLETE)
    assert found.connect_s == pytest.approx(RTT_US / 1e6)
    assert found.total_bytes == (10_599 if up else 10_000)


def test_a_connection_captured_at_both_ends_is_one_transfer(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "server.pcap", connection(at_server=True)),
        write(tmp_path / "client.pcap", connection(at_server=False)),
    ]
    (found,) = observe(paths).transfers
    assert found.sender_flow is not None
    assert found.receiver_flow is not None


def test_one_file_given_twice_is_one_transfer(tmp_path: Path) -> None:
    path = write(tmp_path / "one.pcap", connection(at_server=True))
    assert len(observe([path, path]).transfers) == 1


def test_without_a_handshake_the_answers_tell_where_the_capture_was_taken(tmp_path: Path) -> None:
    for at_server in (True, False):
        path = write(tmp_path / f"{at_server}.pcap", connection(at_server=at_server)[4:])
        (found,) = observe([path]).transfers
        assert (found.sender_flow is not None) == at_server


@pytest.mark.parametrize(("flag", "ending"), [(FIN, Ending.COMPLETE), (RST, Ending.RESET), (0, Ending.UNKNOWN)])
def test_the_last_flags_tell_the_ending(tmp_path: Path, flag: int, ending: Ending) -> None:
    path = write(tmp_path / "one.pcap", connection(at_server=True, end=flag))
    assert observe([path]).transfers[0].ending is ending


def test_roles_come_from_server_names_suffixes_and_file_names(tmp_path: Path) -> None:
    mixed = connection(at_server=True) + connection(at_server=True, name="example.com", port=2, start_us=10**6)
    paths = [
        write(tmp_path / "mixed.pcap", mixed),
        write(tmp_path / "other.pcap", connection(at_server=True, name="a.b", port=3)),
    ]
    observed = observe(paths, targets=["twimg.com"], controls=["example.com", "other.pcap"])
    assert [item.role for item in observed.transfers] == [Role.TARGET, Role.CONTROL, Role.CONTROL]
    assert observed.transfers[1].started_s == pytest.approx(1.0)
    assert {item.role for item in observe(paths, targets=["img.com"]).transfers} == {Role.UNKNOWN}


def test_a_clock_that_jumps_back_is_remarked_and_held(tmp_path: Path) -> None:
    packets = connection(at_server=True)
    packets[12:] = [Stamped(packet.t_us - 10**7, packet.frame) for packet in packets[12:]]
    observed = observe([write(tmp_path / "jump.pcap", packets)])
    assert any("jumps back" in note for note in observed.notes)
    assert (np.diff(observed.transfers[0].times_s) >= 0).all()


def test_packets_captured_twice_are_counted_once_and_retransmissions_stay(tmp_path: Path) -> None:
    packets = connection(at_server=True)
    once = observe([write(tmp_path / "once.pcap", packets)])
    twice = observe([write(tmp_path / "twice.pcap", [copy for packet in packets for copy in (packet, packet)])])
    assert any(f"{len(packets)} packets captured twice" in note for note in twice.notes)
    assert once.transfers[0].sender_flow is not None
    assert twice.transfers[0].sender_flow is not None
    assert len(twice.transfers[0].sender_flow) == len(packets)
    assert np.array_equal(twice.transfers[0].sender_flow.seq, once.transfers[0].sender_flow.seq)
    again = [Stamped(packet.t_us + 5000, packet.frame) for packet in packets]
    late = observe([write(tmp_path / "late.pcap", sorted([*packets, *again], key=lambda packet: packet.t_us))])
    assert not any("twice" in note for note in late.notes)


def test_the_control_nearest_in_time_that_moved_data_is_paired() -> None:
    def control(name: str, started_s: float, duration_s: float = 1.0) -> Any:
        return steady(name, rate_bps=1e6, duration_s=duration_s, role=Role.CONTROL, started_s=started_s)

    broken = type(control("x", 0))(
        id="broken", role=Role.CONTROL, times_s=np.zeros(0), bytes=np.zeros(0, np.int64), started_s=9.9
    )
    target = steady("t", rate_bps=1e5, duration_s=1, started_s=10)
    found = pairs(observation(control("far", 0), broken, target, control("near", 12)))
    assert [(first.id, second.id) for first, second in found] == [("t", "near")]


def test_a_plain_table_is_read_with_its_units(tmp_path: Path) -> None:
    path = tmp_path / "speeds.csv"
    path.write_text(
        "time,target_kbps,control_mbps,group\n"
        "2021-03-10T00:00:00,110,5,AS1\n"
        "1615334400,120.5,6,AS2\n"
        "2021-03-10,,6,AS2\n"
        "2021-03-10,-3,6,AS2\n"
        "2021-03-10,nan,6,AS2\n"
        "never,3,6,AS2\n"
    )
    table, remarks = speeds_from_csv([path])
    assert table.times_s.tolist() == [1615334400.0, 1615334400.0]
    assert table.target_bps.tolist() == [110e3, 120.5e3]
    assert table.controls_bps["control"].tolist() == [5e6, 6e6]
    assert table.group.tolist() == ["AS1", "AS2"]
    assert remarks[0].startswith("4 rows left out: speeds.csv line 4")


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n", "expected columns time and target_bps"), ("", "expected columns"), ("\x80\x81", "cannot be read")],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        observe([path])


def ooni(**keys: Any) -> dict[str, Any]:
    return {"input": "https://twitter.com/", "measurement_start_time": "2022-02-27 00:00:00", "test_keys": keys}


def event(operation: str, t: float, *, t0: float = 0.0, size: int = 0, failure: str | None = None) -> dict[str, Any]:
    return {
        "operation": operation,
        "t0": t0,
        "t": t,
        "num_bytes": size,
        "failure": failure,
        "transaction_id": 1,
        "address": "104.244.42.65:443",
        "proto": "tcp",
        "tags": [],
    }


# the shape of what OONI measured on 27 February 2022: the handshake starves and times out
STARVED = [
    event("connect", 0.1),
    event("tls_handshake_start", 0.15, t0=0.15),
    event("write", 0.15, size=281),
    event("read", 5.785, t0=0.2, size=517),
    event("read", 5.786, t0=5.785, size=507),
    event("read", 9.466, t0=5.8, size=848),
    event("read", 10.16, t0=9.5, failure="generic_timeout_error"),
]


def test_an_ooni_measurement_becomes_a_transfer(tmp_path: Path) -> None:
    path = tmp_path / "ooni.jsonl"
    names = [{"transaction_id": 1, "server_name": "twitter.com"}]
    document = json.dumps(ooni(network_events=STARVED, tls_handshakes=names))
    path.write_text(f"{document}\n{document}\n")
    first, second = observe([path], targets=["twitter.com"]).transfers
    assert (first.role, first.server_name, first.ending) == (Role.TARGET, "twitter.com", Ending.TIMEOUT)
    assert first.bytes.tolist() == [517, 1024, 1872]
    assert first.times_s[-1] == pytest.approx(9.466)
    assert first.connect_s == pytest.approx(0.1)
    assert first.handshake_s is None
    assert second.id != first.id


def test_oonis_speed_samples_go_on_where_its_events_end(tmp_path: Path) -> None:
    events = [event("read", 1.0, size=1000)] + [
        event("bytes_received_cumulative", time, size=size) for time, size in ((0.5, 500), (2.0, 9000), (3.0, 20000))
    ]
    path = tmp_path / "one.json"
    path.write_text(json.dumps(ooni(network_events=events)))
    (found,) = observe([path]).transfers
    assert found.bytes.tolist() == [1000, 9000, 20000]


def ndt7() -> dict[str, Any]:
    def kernel(second: int) -> dict[str, Any]:
        names = ("BusyTime", "RWndLimited", "SndBufLimited", "ElapsedTime")
        times = dict.fromkeys(names, second * 1_000_000)
        counts = {
            "BytesSent": second * 1000,
            "BytesRetrans": 10,
            "BytesAcked": second * 990,
            "BytesReceived": 7 * second,
        }
        return {"TCPInfo": {**times, **counts, "RTT": 30_000, "MinRTT": 20_000, "DeliveryRate": 1000}}

    return {
        "Download": {
            "ServerMeasurements": [kernel(second) for second in (1, 2, 3)],
            "ClientMeasurements": [{"AppInfo": {"ElapsedTime": 1_500_000, "NumBytes": 900}}, {"AppInfo": None}],
        },
        "Upload": {"ServerMeasurements": [kernel(second) for second in (1, 2)], "ClientMeasurements": None},
    }


def test_an_ndt7_result_becomes_a_download_with_tcp_info_and_an_upload(tmp_path: Path) -> None:
    path = tmp_path / "ndt7.json"
    path.write_text(json.dumps(ndt7()))
    down, up = observe([path]).transfers
    assert (down.direction, down.times_s.tolist(), down.bytes.tolist()) == (Direction.DOWN, [1.5], [900])
    assert down.tcp_info is not None
    assert down.tcp_info.rtt_s.tolist() == [0.03] * 3
    assert down.tcp_info.delivery_rate_bps.tolist() == [8000.0] * 3
    assert (up.direction, up.bytes.tolist(), up.tcp_info) == (Direction.UP, [7, 14], None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("{}", "no OONI measurement"),
        ('{"Download": {"ServerMeasurements": [{"TCPInfo": {"ElapsedTime": "x"}}]}}', "ElapsedTime is 'x'"),
        (json.dumps(ooni(network_events=[{"operation": "read"}])), "t is absent"),
        (json.dumps(ooni(network_events="x")), "network_events is 'x', expected a list"),
    ],
)
def test_measurements_that_contradict_their_format_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        observe([path])


def test_an_observation_file_is_read_back_and_mixed_with_captures(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text(observation_to_json(observation(steady("saved", rate_bps=1e6, duration_s=1))))
    both = observe([saved, write(tmp_path / "one.pcap", connection(at_server=True))])
    assert [item.id for item in both.transfers] == ["saved", "one.pcap#0"]
    with pytest.raises(InputError, match="two transfers are called 'saved'"):
        observe([saved, saved])


def test_nothing_and_absent_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to observe"):
        observe([])
    for name in ("absent.json", "absent.pcap", "absent.csv"):
        with pytest.raises(InputError, match="absent"):
            observe([tmp_path / name])


def run_directory(path: Path) -> Path:
    """Write a run of one line: a throttled and a free fetch of one server, and a control elsewhere that failed."""
    (path / "captures").mkdir(parents=True)
    asked = [
        ("mobile/01-kremlin.ru", "kremlin.ru", "control"),
        ("mobile/02-example.com", "example.com", "control"),
        ("mobile/03-abs.twimg.com", "abs.twimg.com", "target"),
    ]
    transfers = [
        {
            "id": i,
            "name": n,
            "kind": "fetch",
            "sni": n,
            "direction": "download",
            "line": "mobile",
            "role": r,
            "size": 10000,
        }
        for i, n, r in asked
    ]
    plan = {"phases": [{"lines": [{"transfers": transfers}]}]}
    (path / "plan.json").write_text(json.dumps(plan))
    records: list[dict[str, Any]] = []
    for place, (name, _, _) in enumerate(asked):
        base = {"transfer": name, "side": "client"}
        remote = ["203.0.113.2" if place == 0 else SERVER[0], 443]
        start = 10.0 * place
        records.append(base | {"t": start, "event": "started", "remote": remote})
        if place == 0:
            records.append(base | {"t": start + 5, "event": "finished", "ok": False, "error": "timed out"})
            continue
        local = [CLIENT[0], 40000 + place]
        records.append(base | {"t": start + 0.1, "event": "connected", "local": local, "remote": remote})
        records.append(base | {"t": start + 0.3, "event": "handshake"})
        times = [start + 0.5, start + 0.6, start + (0.7 if place == 1 else 9)]
        records.append(base | {"t": start + 0.5, "event": "bytes", "times": times, "totals": [4000, 8000, 10000]})
        records.append(base | {"t": times[-1], "event": "finished", "ok": True, "error": None})
    (path / "measurements.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    packets = [
        packet
        for place, (_, name, _) in enumerate(asked[1:], start=1)
        for packet in connection(at_server=True, name=name, port=40000 + place, start_us=10_000_000 * place)
    ]
    write(path / "captures" / "origin-server.pcap", packets)
    write(path / "captures" / "mobile-tspu-inside.pcap", packets[:5])
    (path / "truth.jsonl").write_text("")
    write_manifest(path, transfers=summarise_transfers(plan, records, []))
    return path


def write_manifest(path: Path, **changes: Any) -> None:
    """A manifest of a complete and valid run, or another."""
    manifest = {"format": 1, "state": "complete", "valid": True, "problems": [], "certificate": {"captures": {}}}
    (path / "manifest.json").write_text(json.dumps(manifest | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "running"}, "it died without a word"),
        ({"state": "checking"}, "it died without a word"),
        ({"state": "incomplete", "problems": ["the guest hung"]}, "incomplete; the guest hung"),
        ({"valid": False, "problems": ["it was starved"]}, "it was starved"),
        ({"problems": ["it was starved"]}, "says that it is valid, and names problems"),
        ({"valid": "yes"}, "does not say that it is valid"),
        ({"transfers": []}, "lacks the transfer mobile/01-kremlin.ru"),
        ({"certificate": {"captures": {"mobile-client": {"captured": 3}}}}, "mobile-client.pcapng: cannot be read"),
    ],
)
def test_a_run_that_must_not_be_scored_is_refused_or_told(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = run_directory(tmp_path / "run")
    good = json.loads((path / "manifest.json").read_text())
    write_manifest(path, **{"transfers": good["transfers"], **changes})
    with pytest.raises(InvalidRunError, match=f"do not score this run: .*{said}.*--even-if-invalid"):
        observe([path])
    observed = observe([path], even_if_invalid=True)
    assert len(observed.transfers) == 3
    assert any("do not score this run" in note for note in observed.notes)


def test_a_run_whose_process_lives_is_called_running(tmp_path: Path) -> None:
    path = run_directory(tmp_path / "run")
    process = {"pid": os.getpid(), "started": process_start(os.getpid())}
    write_manifest(path, state="running", process=process)
    with pytest.raises(InvalidRunError, match="it is still running"):
        observe([path])


@pytest.mark.parametrize(
    ("record", "key"),
    [("truth.jsonl", "action"), ("measurements.jsonl", "bytes"), ("manifest.json", "bytes")],
)
def test_a_run_whose_records_were_changed_is_refused(tmp_path: Path, record: str, key: str) -> None:
    path = run_directory(tmp_path / "run")
    flow = {"box": "b", "flow": 1, "t": 20.0}
    truth = [
        {**flow, "event": "flow_opened", "inside": CLIENT[0], "inside_port": 40002},
        {**flow, "event": "throttling_started", "meter": "token_bucket"},
    ]
    if record == "truth.jsonl":
        (path / record).write_text("".join(json.dumps(each) + "\n" for each in truth))
    else:
        (path / record).write_text((path / record).read_text().replace("10000", "10001"))
    with pytest.raises(InvalidRunError, match=f"disagree on mobile/0[23].*: {key} is"):
        observe([path])


def test_a_capture_of_a_run_that_lost_packets_is_told(tmp_path: Path) -> None:
    path = run_directory(tmp_path / "run")
    good = json.loads((path / "manifest.json").read_text())
    (path / "captures" / "x-server.pcapng").write_bytes((path / "captures" / "origin-server.pcap").read_bytes())
    write_manifest(path, transfers=good["transfers"], certificate={"captures": {"x-server": {"captured": 3}}})
    with pytest.raises(InvalidRunError, match=r"the capture x-server holds \d+ packets, and 3 were captured"):
        observe([path])


@pytest.mark.parametrize("record", ["measurements.jsonl", "captures/origin-server.pcap", "plan.json", "truth.jsonl"])
@pytest.mark.parametrize("planted", ["fifo", "link", "device"])
def test_what_was_planted_in_a_run_is_not_read(tmp_path: Path, record: str, planted: str) -> None:
    path = run_directory(tmp_path / "run") / record
    path.rename(tmp_path / "elsewhere")
    if planted == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if planted == "device" else tmp_path / "elsewhere")
    with pytest.raises(InputError, match=path.name):
        observe([tmp_path / "run"])


def test_a_run_gives_what_clients_saw_and_never_the_truth(tmp_path: Path) -> None:
    path = run_directory(tmp_path / "run")
    failed, control, target = observe([path]).transfers
    assert (failed.role, failed.total_bytes, failed.ending, failed.ended_s) == (Role.CONTROL, 0, Ending.TIMEOUT, 5.0)
    assert (target.role, target.direction, target.server_name) == (Role.TARGET, Direction.DOWN, "abs.twimg.com")
    assert target.times_s.tolist() == pytest.approx([0.5, 0.6, 9.0])
    assert target.connect_s == pytest.approx(0.1)
    assert target.handshake_s == pytest.approx(0.2)
    assert target.sender_flow is not None
    assert target.sender_flow.server_name == "abs.twimg.com"
    assert control.goodput_bps == pytest.approx(10_000 * 8 / 0.7)
    (path / "truth.jsonl").write_text('{"box": "b", "flow": 0, "event": "nothing that a detector sees"}\n')
    assert [item.id for item in observe([path]).transfers] == [item.id for item in (failed, control, target)]


def test_each_transfer_of_a_run_is_judged_beside_controls_at_its_server(tmp_path: Path) -> None:
    subjects = dict(split_by_subject(observe([run_directory(tmp_path / "run")])))
    rivals = {
        name: [item.id for item in part.transfers if item.role is Role.CONTROL and item.id != name]
        for name, part in subjects.items()
    }
    assert rivals["mobile/03-abs.twimg.com"] == ["mobile/02-example.com"]
    assert rivals["mobile/02-example.com"] == []
    assert [part.transfers[0].role for part in subjects.values()] == [Role.TARGET] * 3


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no run directory"):
        observe([tmp_path])
    with pytest.raises(InputError, match="observed alone"):
        observe([tmp_path, tmp_path / "x.pcap"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.json", "{}"),
        ("plan.json", "[]"),
        ("plan.json", "{"),
        ("measurements.jsonl", '{"t": 1}\n'),
        ("measurements.jsonl", '{"transfer": "mobile/02-example.com", "side": "client", "event": "started"}\n'),
    ],
)
def test_a_run_that_contradicts_its_format_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = run_directory(tmp_path / "run")
    (path / name).write_text(content)
    with pytest.raises(RecordError, match="run"):
        observe([path])


def test_an_empty_observation_file_is_an_observation(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text(observation_to_json(Observation(source="x")))
    assert observe([path]).transfers == ()


def measurement(name: str = "https://twitter.com/", *, version: str = "0.5", **keys: Any) -> dict[str, Any]:
    return {**ooni(**keys), "input": name, "test_version": version}


def handshake(t0: float, t: float, *, failure: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"server_name": "twitter.com", "t0": t0, "t": t, "failure": failure, "address": "192.0.2.1:443", **fields}


def test_a_handshake_is_that_of_its_own_record(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    slow = measurement(network_events=[event("connect", 0.1)], tls_handshakes=[handshake(0.1, 12.1, transaction_id=1)])
    path.write_text(json.dumps(slow))
    (found,) = observe([path]).transfers
    assert found.handshake_s == pytest.approx(12.0)
    assert (found.connect_s, found.server_name) == (0.1, "twitter.com")


@pytest.mark.parametrize(
    ("failure", "ending"), [("connection_reset", Ending.RESET), ("generic_timeout_error", Ending.TIMEOUT)]
)
@pytest.mark.parametrize("has_events", [True, False])
def test_a_handshake_that_failed_tells_the_ending(
    tmp_path: Path,
    failure: str,
    ending: Ending,
    has_events: bool,  # noqa: FBT001
) -> None:
    path = tmp_path / "a.json"
    tls = [handshake(0.1, 0.2, failure=failure, transaction_id=1)]
    path.write_text(json.dumps(measurement(network_events=[event("connect", 0.1)] * has_events, tls_handshakes=tls)))
    (found,) = observe([path]).transfers
    assert (found.ending, found.handshake_s) == (ending, None)


@pytest.mark.parametrize("numbered", ["conn_id", "address"])
def test_connections_of_version_0_4_are_told_apart(tmp_path: Path, numbered: str) -> None:
    events = []
    for number, size in ((1, 100), (2, 9000)):
        for operation, t in (("connect", 0.1), ("read", 1.0), ("read", 2.0)):
            record = event(operation, t, size=size) | {"address": f"192.0.2.{number}:443"}
            del record["transaction_id"]
            events.append(record | ({"conn_id": number} if numbered == "conn_id" else {}))
    path = tmp_path / "a.json"
    path.write_text(json.dumps(measurement(version="0.4.3", network_events=events)))
    assert [item.total_bytes for item in observe([path]).transfers] == [200, 18000]


def test_two_connections_to_one_address_without_numbers_are_two(tmp_path: Path) -> None:
    events = [event(name, t, size=10) for t in (0.0, 5.0) for name, t in (("connect", t), ("read", t + 1))]
    for record in events:
        del record["transaction_id"]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(measurement(network_events=events)))
    assert [item.total_bytes for item in observe([path]).transfers] == [10, 10]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("https://twitter.com/", "twitter.com"),
        ("https://Twitter.COM.:443/x?y", "twitter.com"),
        ("twitter.com:443", "twitter.com"),
        ("https://[2001:db8::1]/", "2001:db8::1"),
        ("", None),
    ],
)
def test_a_url_gives_a_name(tmp_path: Path, asked: str, name: str | None) -> None:
    path = tmp_path / "a.json"
    failed = event("connect", 10.0, failure="generic_timeout_error")
    path.write_text(json.dumps(measurement(asked, network_events=[failed])))
    (found,) = observe([path]).transfers
    assert (found.server_name, found.ending) == (name, Ending.TIMEOUT)


@pytest.mark.parametrize("separator", ["\u0085", "\u2028", "\u2029", "\x0b", "\x1c"])
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.xz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_only_a_line_feed_ends_a_measurement(tmp_path: Path, separator: str, ending: str, encoding: str) -> None:
    body: dict[str, Any] = {
        "network_events": [event("connect", 0.1)],
        "requests": [{"response": {"body": f"a{separator}b"}}],
    }
    separator = separator if separator >= " " else "x"  # JSON has other controls escaped
    text = "\n".join(json.dumps(measurement(**body), ensure_ascii=False) for _ in range(2)) + "\n"
    compress: Callable[[bytes], bytes] = bytes
    if not ending.endswith("l"):
        compress = gzip.compress if ending.endswith("gz") else lzma.compress
    path = tmp_path / f"a{ending}"
    path.write_bytes(compress(text.encode(encoding)))
    assert len(observe([path]).transfers) == 2


@pytest.mark.parametrize(
    "failed", ['{"test_keys": null, "measurement_start_time": "x"}', '{"failure": "no route"}',
               json.dumps(measurement(network_events=[{"operation": "connect", "t": "soon"}])), '{"test_keys": {"net'],
)  # fmt: skip
def test_one_failed_measurement_among_many_is_left_out_and_told(tmp_path: Path, failed: str) -> None:
    good = json.dumps(measurement(network_events=[event("connect", 0.1)]))
    path = tmp_path / "a.jsonl"
    path.write_text(f"{good}\n{failed}\n{good}\n")
    observed = observe([path])
    assert len(observed.transfers) == 2
    assert any("1 of 3 measurements left out" in note and "line 2" in note for note in observed.notes)
    path.write_text(f"{failed}\n")
    with pytest.raises(InputError):
        observe([path])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1614556800", 1614556800.0),
        ("1614556800.5", 1614556800.5),
        ("1614556800000", 1614556800.0),
        ("1614556800000000", 1614556800.0),
        ("1614556800000000000", 1614556800.0),
        ("20210301", 1614556800.0),
        ("202103010600", 1614578400.0),
        ("20210301060000", 1614578400.0),
        ("2021-03-01T06:00:00Z", 1614578400.0),
        ("2021-03-01 06:00:00 UTC", 1614578400.0),
    ],
)
def test_times_are_read_in_every_form(tmp_path: Path, text: str, seconds: float) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,target_bps\n{text},5\n")
    speeds, _ = speeds_from_csv([path])
    assert speeds.times_s.tolist() == [seconds]


@pytest.mark.parametrize("text", ["202103", "2021", "1e30", "01.03.2021", "1_614_556_800", "inf", ""])
def test_a_time_that_could_be_anything_is_left_out_and_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,target_bps\n{text},5\n1614556800,5\n")
    speeds, notes = speeds_from_csv([path])
    assert len(speeds) == 1
    assert any("a.csv line 2" in note for note in notes)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("time,target_kbps,target_kbps", "'target_kbps' is there 2 times"),
        ("time,target_kbps, target_kbps", "'target_kbps' is there 2 times"),
        ("time,time,target_kbps", "'time' is there 2 times"),
        ("time,target_kbps,target_mbps", "are one series"),
        ("time,target_kbps,control_bps,control_kbps", "are one series"),
    ],
)
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, header: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(header + "\n" + ",".join("1" * (header.count(",") + 1)) + "\n")
    with pytest.raises(InputError, match=said):
        observe([path])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_are_read_where_commas_divide_nothing(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(delimiter.join(("time", "target_mbps")) + "\n" + delimiter.join(("1614556800", "8,637")) + "\n")
    speeds, _ = speeds_from_csv([path])
    assert speeds.target_bps.tolist() == [8_637_000]


@pytest.mark.parametrize("cells", ['1,"8,637"', "1,8,637", '1,"1,234.5"', "1", "1,-5", "1,nan", "1,5 000"])
def test_a_row_that_cannot_be_read_is_left_out_with_its_line(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"time,target_mbps\n1614556800,5\n{cells}\n")
    speeds, (note,) = speeds_from_csv([path])
    assert len(speeds) == 1
    assert "1 rows left out: a.csv line 3: " in note
    path.write_text("time,target_mbps\n" + f"{cells}\n" * 80)
    with pytest.raises(InputError, match=r"no row can be used: 80 rows left out: .*lines 2-81"):
        observe([path])


def test_two_files_of_one_name_are_two(tmp_path: Path) -> None:
    paths = []
    for folder, port in (("mon", 1), ("tue", 2)):
        (tmp_path / folder).mkdir()
        paths.append(write(tmp_path / folder / "a.pcap", connection(at_server=True, port=port)))
    observed = observe(paths, targets=["mon/a.pcap"], controls=["tue/a.pcap"])
    assert [(item.id, item.role) for item in observed.transfers] == [
        ("mon/a.pcap#0", Role.TARGET), ("tue/a.pcap#0", Role.CONTROL),
    ]  # fmt: skip


def test_one_file_under_two_names_is_read_once_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pcap", connection(at_server=True))
    (tmp_path / "b.pcap").hardlink_to(path)
    observed = observe([path, tmp_path / "b.pcap"])
    assert len(observed.transfers) == 1
    assert any("the same file as" in note for note in observed.notes)


def test_the_earlier_syn_decides_whose_capture_it_is(tmp_path: Path) -> None:
    """A client that is slow to acknowledge looks like a server by itself."""
    client, server = connection(at_server=False), connection(at_server=True)
    late = [Stamped(item.t_us + (400_000 if place > 1 else 0), item.frame) for place, item in enumerate(client)]
    paths = [write(tmp_path / "server.pcap", server), write(tmp_path / "client.pcap", late)]
    (found,) = observe(paths).transfers
    assert found.sender_flow is not None
    assert found.receiver_flow is not None
    assert found.receiver_flow.t_ns[0] < found.sender_flow.t_ns[0]


def test_the_same_view_twice_is_told(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, connection(at_server=True)) for name in ("a.pcap", "b.pcap")]
    observed = observe(paths)
    assert len(observed.transfers) == 1
    assert any("the same view" in note for note in observed.notes)


@pytest.mark.parametrize("with_syn", [True, False])
def test_first_segments_out_of_order_lose_no_byte(tmp_path: Path, with_syn: bool) -> None:  # noqa: FBT001
    packets = connection(at_server=True)
    data = [place for place, item in enumerate(packets) if len(item.frame) > 1000]
    first, second = data[0], data[1]
    packets[first], packets[second] = (
        Stamped(packets[first].t_us, packets[second].frame), Stamped(packets[second].t_us, packets[first].frame),
    )  # fmt: skip
    (found,) = observe([write(tmp_path / "a.pcap", packets if with_syn else packets[4:])]).transfers
    assert found.total_bytes == 10_000


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_three_copies_of_each_packet_count_once(tmp_path: Path, order: tuple[int, ...]) -> None:
    packets = connection(at_server=True)
    copies = [Stamped(item.t_us + copy * 150 + (place % 2) * 40, item.frame)
              for place, item in enumerate(packets) for copy in order]  # fmt: skip
    path = write(tmp_path / "any.pcap", sorted(copies, key=lambda item: item.t_us))
    (found,) = observe([path]).transfers
    assert found.sender_flow is not None
    assert len(found.sender_flow) == len(packets)


numbers = st.one_of(st.none(), st.integers(-5, 10**20), st.floats(allow_nan=False, allow_infinity=False), st.text())
records = st.fixed_dictionaries(
    {},
    optional={
        "operation": st.sampled_from(["connect", "read", "bytes_received_cumulative", "tls_handshake_start", "x", 7]),
        "t0": numbers, "t": numbers, "num_bytes": numbers, "transaction_id": numbers, "conn_id": numbers,
        "failure": st.one_of(st.none(), st.text(), st.integers()), "address": st.one_of(st.none(), st.text()),
        "server_name": st.one_of(st.none(), st.text()), "ip": st.text(), "port": numbers, "status": st.none(),
        "request": st.one_of(st.none(), st.fixed_dictionaries({"url": st.text()})),
    },
)  # fmt: skip
lists = st.one_of(st.none(), st.lists(records, max_size=5))


@given(
    keys=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("network_events", "tls_handshakes", "tcp_connect", "requests"), lists)
    ),
    asked=st.one_of(st.none(), st.text()),
)
def test_any_measurement_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, Any], asked: str | None
) -> None:
    path = tmp_path_factory.mktemp("ooni") / "a.json"
    path.write_text(json.dumps({"input": asked, "measurement_start_time": "x", "test_keys": keys}))
    with contextlib.suppress(InputError):
        observe([path])


cells = st.one_of(
    st.text(max_size=12), st.integers(-5, 10**22).map(str), st.floats().map(str), st.sampled_from(["2021-03-10", "1,5"])
)


@given(
    header=st.lists(st.sampled_from(["time", "target_bps", "target_mbps", "control_kbps", "group", "x"]), max_size=5),
    rows=st.lists(st.lists(cells, max_size=5), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_any_table_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], rows: list[list[str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    lines = [delimiter.join(line) for line in (header, *rows)]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    with contextlib.suppress(InputError):
        speeds, _ = speeds_from_csv([path])
        assert len(speeds) <= len(rows) + sum("\n" in cell or "\r" in cell for row in rows for cell in row)


ODD: list[Any] = [None, 7, -1.5, "x", [], {}, [1, 2], True, 1e308, "\x1b[2J", 10**30]


def damaged(value: Any, random: Random) -> Any:
    """The same JSON with one key gone, or one value of another kind."""
    steps: list[Any] = []
    node = value
    while isinstance(node, dict | list) and node and random.random() < 0.85:
        steps.append(random.choice(list(node)) if isinstance(node, dict) else random.randrange(len(node)))
        node = node[steps[-1]]
    if not steps:
        return random.choice(ODD)
    for step in steps[:-1]:
        value = value[step]
    if isinstance(value, dict) and random.random() < 0.3:
        del value[steps[-1]]
    else:
        value[steps[-1]] = random.choice(ODD)
    return None


@given(
    random=st.randoms(use_true_random=False), name=st.sampled_from(["plan.json", "measurements.jsonl", "manifest.json"])
)
@settings(max_examples=150)
def test_a_run_with_any_damage_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, random: Random, name: str
) -> None:
    path = run_directory(tmp_path_factory.mktemp("runs") / "run")
    text = (path / name).read_text()
    lines = [json.loads(line) for line in (text.splitlines() if name.endswith("l") else [text])]
    place = random.randrange(len(lines))
    replaced = damaged(lines[place], random)
    lines[place] = lines[place] if replaced is None else replaced
    (path / name).write_text("\n".join(map(json.dumps, lines)) + "\n")
    for act in (
        lambda: observation_to_json(observe([path], targets=["twimg.com"], even_if_invalid=True)),
        lambda: observe([path]),
        lambda: write_report(path, path / "report", even_if_invalid=True),
    ):
        with contextlib.suppress(InputError, InvalidRunError):
            act()
