"""The command ``shrink``, on a run whose detector is wrong for a reason that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli.program import status

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """\
format: 1
title: One
about: A line without a box.
development:
  clean:
    scenario: confounders/clean
    draws: 1
    settings: {measurements.0.size: 60 kB, measurements.0.repeat: '2'}
"""
ALWAYS = """#!/bin/sh
cat >/dev/null
echo '{"outcome": "throttled", "why": "as ever"}'
"""


def shrink(folder: Path, *options: str, cell: str = "clean/1", detector: str | None = None) -> int:
    suite, always = folder / "one.yaml", folder / "always"
    suite.write_text(SUITE)
    always.write_text(ALWAYS)
    always.chmod(0o700)
    common = ["--store", str(folder / "store"), "--detector", detector or f"exec:{always}"]
    return status("shrink", str(suite), cell, *common, *options)


@pytest.mark.usefixtures("kernel")
def test_what_a_detector_does_not_need_to_be_wrong_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "simpler"
    assert shrink(tmp_path, "-o", str(out), "--tries", "6") == 0
    said = capsys.readouterr()
    left = yaml.safe_load((out / "scenario.yaml").read_text())
    assert "variation" not in left
    assert "called throttled" in left["about"]
    assert "6 runs; there were no more tries" in said.err
    assert list((out / "run" / "captures").iterdir())
    assert status("detect", str(out / "run"), "--detector", f"exec:{tmp_path / 'always'}") == 0

    assert shrink(tmp_path, "-o", str(out)) == 2
    assert "is there already" in capsys.readouterr().err
    assert shrink(tmp_path, "-o", str(tmp_path / "none"), detector="ooni") == 1
    assert "nothing to shrink" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
