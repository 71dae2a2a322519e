from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from testbed.errors import CaptureError
from testbed.report.inspection import inspection_lines
from tests.records.build import SUBSCRIBER, frame, write_capture

if TYPE_CHECKING:
    from pathlib import Path


def inspected(path: Path, *, as_json: bool, told: list[str] | None = None) -> list[str]:
    tell = (told if told is not None else []).append
    inside = [f"{SUBSCRIBER}/32"]
    return list(inspection_lines(path, "ru-tw-2021a", seed=1, inside=inside, as_json=as_json, tell=tell))


@pytest.mark.parametrize("as_json", [False, True])
def test_an_inspection_tells_what_it_left_out(tmp_path: Path, *, as_json: bool) -> None:
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    damaged = path.read_bytes()
    path.write_bytes(damaged + damaged[damaged.index(b"\x06\0\0\0") :].replace(b"\x08\x00", b"\x08\x06", 1))
    told: list[str] = []
    lines = inspected(path, as_json=as_json, told=told)
    assert told == ["1 records left out: not IP"]
    if as_json:
        assert json.loads(lines[-1])["notes"] == told


def test_an_inspection_ends_with_a_count(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    assert inspected(path, as_json=False)[-1] == "1 packets, 0 dropped"


def test_an_inspection_as_json_is_events_alone(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    assert all({"frame", "event", "t"} <= set(json.loads(line)) for line in inspected(path, as_json=True))


def test_a_capture_that_is_cut_gives_its_lines_and_then_the_offset(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcapng", [frame(1, 0, down=False, seq=0, ip_id=1)])
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CaptureError, match="byte"):
        inspected(path, as_json=False)
