"""What the command line of `validate` asks for, and what it cannot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import status
from tests.validation.scoring.test_baseline import LINES, baseline

if TYPE_CHECKING:
    from pathlib import Path

ONE = """\
format: 1
title: One
about: One condition.
development:
  policed: {scenario: throttling/policed, draws: 1}
"""


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    suite = folder / "one.yaml"
    suite.write_text(ONE)
    assert status("validate", str(suite), "--store", str(folder / "store"), *options) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--baseline", "no-such.json"], "there is no such file; --write-baseline makes one"),
        (["--jobs", "1000"], "a guest needs a processor of its own"),
        (["--stop-early"], "no gate has a bound"),
        (["--frontier"], "has none"),
        (["--gates", "no-such.toml"], "cannot read no-such.toml"),
        (["--cell", "policed/2"], "no cell 'policed/2' in this suite"),
    ],
)
@pytest.mark.usefixtures("kernel")
def test_what_cannot_be_done_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert why in refused(tmp_path, capsys, *options)
    assert list((tmp_path / "store").glob("cells/*")) == []


def test_a_baseline_brings_its_held_out_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(baseline(*LINES)))
    said = refused(tmp_path, capsys, "--baseline", str(path), "--held-out-seed", "y")
    assert "the baseline's is x, and other seeds are other runs" in said
