"""Asking the detectors of the version in whose interpreter it runs."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

from testbed.detectors.sources.observation_json import observation_to_json
from testbed.validation import judge_elsewhere
from tests.validation.cells import observation


def test_it_answers_a_letter_for_each_detector(tmp_path: Path) -> None:
    path = tmp_path / "observation.json.gz"
    path.write_bytes(gzip.compress(observation_to_json(observation()).encode()))
    task = json.dumps({"observation": str(path), "detectors": ["ooni", "pd"]})
    done = subprocess.run(
        [sys.executable, "-P", judge_elsewhere.__file__], input=f"{task}\n{task}\n", capture_output=True, text=True,
        env={"PYTHONPATH": str(Path.cwd())}, check=True,
    )  # fmt: skip
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == second
    assert set(first["outcomes"]) <= set("TNI")
    assert len(first["outcomes"]) == 2
