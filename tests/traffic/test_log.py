"""A transfer's log: samples in few lines, every instant since the start of the run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.records.jsonl import LineWriter, read_lines
from testbed.records.measurements import received_bytes
from testbed.traffic.log import TransferLog

if TYPE_CHECKING:
    from pathlib import Path

START_NS = 1_615_366_800_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "measurements.jsonl"


def log_to(path: Path, *, side: str = "client") -> TransferLog:
    return TransferLog(LineWriter(path), transfer="mobile/01", side=side, start_ns=START_NS)


def test_instants_count_from_the_start_of_the_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: START_NS + 1_500_000_000)
    log_to(path, side="server").event("accepted", peer=["100.64.0.1", 20_000])
    assert list(read_lines(path)) == [
        {"t": 1.5, "transfer": "mobile/01", "side": "server", "event": "accepted", "peer": ["100.64.0.1", 20_000]}
    ]


def test_the_samples_before_an_event_are_written_before_it(path: Path) -> None:
    log = log_to(path)
    log.received(1.0, 100)
    log.tcp_info(1.1, {"rtt_us": 5})
    log.event("finished")
    assert [each["event"] for each in read_lines(path)] == ["bytes", "tcp_info", "finished"]


def test_samples_wait_until_a_line_is_full_or_flushed(path: Path) -> None:
    log = log_to(path)
    for number in range(130):
        log.received(float(number), number)
    assert [len(each["times"]) for each in read_lines(path)] == [64, 64]
    log.flush()
    log.flush()
    assert [len(each["times"]) for each in read_lines(path)] == [64, 64, 2]


def test_a_line_of_samples_has_an_array_for_each_field(path: Path) -> None:
    log = log_to(path)
    log.tcp_info(1.0, {"rtt_us": 5, "lost": 0})
    log.tcp_info(2.0, {"rtt_us": 6, "lost": 1})
    log.flush()
    (line,) = read_lines(path)
    assert (line["t"], line["times"], line["rtt_us"], line["lost"]) == (1.0, [1.0, 2.0], [5, 6], [0, 1])


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**12)), max_size=200))
def test_every_arrival_is_read_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[tuple[float, int]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "measurements.jsonl"
    log = log_to(path)
    for t, total in arrivals:
        log.received(t, total)
    log.flush()
    records: list[Any] = list(read_lines(path))
    assert received_bytes(records, "client") == ([t for t, _ in arrivals], [total for _, total in arrivals])


def test_where_somebody_watches_counts_are_written_when_they_are_old(path: Path) -> None:
    log = TransferLog(LineWriter(path), transfer="mobile/01", side="client", start_ns=START_NS, patience_s=0.1)
    log.received(1.0, 100)
    log.received(1.05, 200)
    assert list(read_lines(path)) == []
    log.received(1.125, 300)
    [written] = read_lines(path)
    assert (written["times"], written["totals"]) == ([1.0, 1.05, 1.125], [100, 200, 300])
    log.received(1.2, 400)  # waits for its own company
    assert len(list(read_lines(path))) == 1
