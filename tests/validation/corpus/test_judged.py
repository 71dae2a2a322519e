"""Detectors asked about a corpus: labels from its truth, and not one module of what emulates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import InputError
from testbed.records.label import parse_counts
from testbed.validation.corpus.archive import Archive
from testbed.validation.corpus.contents import read_index
from testbed.validation.corpus.judged import judged
from tests.records.build import transfer
from tests.validation.corpus.made import members, truth, written

ROOT = Path(__file__).resolve().parents[3]


def asked(path: Path, *detectors: str, counts: list[str] | None = None) -> list[tuple[str, str, str, bool]]:
    with Archive(path) as archive:
        found = judged(archive, read_index(archive), detectors, counted=parse_counts(counts or []))
        return [(each.cell, each.label, each.outcome, each.failed) for each in found]


def test_a_detector_judges_each_line(tmp_path: Path) -> None:
    assert asked(written(tmp_path / "x.zip"), "ooni") == [
        ("policed/1", "throttled", "throttled", False), ("clean/1", "not throttled", "not throttled", False),
    ]  # fmt: skip


def test_what_has_no_label_is_left_out_unless_it_is_counted(tmp_path: Path) -> None:
    reset = [transfer()["influences"][0] | {"what": "reset", "effect": "ends"}]
    lines = [transfer(id="line/1", line="line", role="target", influences=reset)]
    changes = {"cells/policed-1/truth.json": truth("policed/1", is_throttled=True, transfers=lines)}
    path = written(tmp_path / "x.zip", members() | changes)
    assert [cell for cell, *_ in asked(path, "ooni")] == ["clean/1"]
    assert asked(path, "ooni", counts=["reset=throttled"])[0][:2] == ("policed/1", "throttled")


def test_a_program_that_breaks_costs_its_own_verdicts(tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho garbage\n")
    program.chmod(0o700)
    found = asked(written(tmp_path / "x.zip"), "ooni", f"exec:{program}")
    assert [(outcome, failed) for *_, outcome, failed in found] == [
        ("throttled", False), ("inconclusive", True), ("not throttled", False), ("inconclusive", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cells/policed-1/line.observation.json": b"{}"}, "line.observation.json: not an observation"),
        ({"cells/policed-1/line.observation.json": None}, "it has no cells/policed-1/line.observation.json"),
    ],
)
def test_an_observation_that_is_none_is_said(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    contents = {name: each for name, each in (members() | changes).items() if each is not None}
    with pytest.raises(InputError) as caught:
        asked(written(tmp_path / "x.zip", contents), "ooni")
    assert problem in str(caught.value)


def test_a_corpus_is_scored_where_nothing_can_be_emulated(tmp_path: Path) -> None:
    """As on another platform: what is of Linux alone cannot be imported there, nor Mininet and the packet queue."""
    modules = ["mininet", "fcntl", "resource", "termios", "pty", "tty", "grp", "pwd"]
    signals = ["SIGHUP", "SIGQUIT", "SIGKILL", "SIGUSR1"]
    functions = [
        "pidfd_open",
        "sched_getaffinity",
        "fork",
        "killpg",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "O_NOCTTY",
        "O_CLOEXEC",
    ]
    code = (
        "import os, signal, sys\n"
        f"for name in {modules}: sys.modules[name] = None\n"
        f"for name in {signals}: delattr(signal, name)\n"
        f"for name in {functions}: delattr(os, name)\n"
        "from testbed.cli import main\n"
        f"sys.exit(main(['corpus', 'score', {str(written(tmp_path / 'x.zip'))!r}, '--detector', 'ooni']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| policed | throttled | 1 | 100 % |" in done.stdout
