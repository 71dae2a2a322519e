"""What is refused of a run is refused by whoever reads it; observing stands for them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from testbed.detectors.sources.observe import observe
from testbed.errors import InvalidRunError
from testbed.records.run import process_start
from tests.capture.frames import (
    CLIENT,
)
from tests.detectors.files import run_directory, write_manifest

if TYPE_CHECKING:
    from pathlib import Path


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
