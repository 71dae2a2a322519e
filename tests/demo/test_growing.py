from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.demo.growing import GrowingRun, read_plan, watched_boxes
from testbed.errors import RecordError
from tests.demo.runs import demo_plan, pcap, tcp_frame

if TYPE_CHECKING:
    from pathlib import Path

STARTED = b'{"t":0.5,"transfer":"phone/01-twitter.com","side":"client","event":"started"}\n'


def test_the_boxes_before_a_target_are_watched() -> None:
    assert watched_boxes(demo_plan()) == ["phone-tspu"]


def test_lines_are_told_once_and_when_they_are_whole(tmp_path: Path) -> None:
    output = tmp_path / ".guest/output"
    output.mkdir(parents=True)
    run = GrowingRun(tmp_path, demo_plan())
    assert run.new() == []
    with (output / "measurements.jsonl").open("wb", buffering=0) as file:
        file.write(STARTED[:20])
        assert run.new() == []
        file.write(STARTED[20:])
        assert run.new() == [["t", 0.5, "phone/01-twitter.com", "started", "", ""]]
        assert run.new() == []
        (output / "measurements.jsonl").rename(tmp_path / "measurements.jsonl")  # as the host takes it over
        file.write(STARTED)
        assert len(run.new()) == 1
    run.close()


def test_segments_come_from_the_capture_behind_the_box(tmp_path: Path) -> None:
    (tmp_path / ".guest/output/captures").mkdir(parents=True)
    handshake = tcp_frame(source_port=443, port=4000, seq=9, flags=0x12, payload=0)
    data = tcp_frame(source_port=443, port=4000, seq=10, flags=0x18, payload=70)
    (tmp_path / ".guest/output/captures/phone-tspu-inside.pcap").write_bytes(pcap((1, handshake), (2, data)))
    run = GrowingRun(tmp_path, demo_plan())
    assert run.new() == [["p", 2.0, "100.64.0.1:4000", 0, 70]]
    run.close()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"start_ns": "x", "boxes": {}, "phases": []}', '{"phases": 3}'])
def test_a_plan_that_is_none_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(RecordError, match=r"plan\.json: cannot be read"):
        read_plan(tmp_path)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(demo_plan()))
    assert read_plan(tmp_path)["title"] == "Two phones on one provider"
