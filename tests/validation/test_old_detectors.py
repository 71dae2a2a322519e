"""What the detectors of an earlier commit say: a repository is made, in whose first commit one of them was another."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import testbed
from testbed.errors import InputError, InvalidRunError
from testbed.validation import old_detectors
from testbed.validation.judging import judgements, known_digest
from testbed.validation.keeping.store import Store
from testbed.validation.old_detectors import baseline_at
from testbed.validation.scoring.baseline import baseline_of
from testbed.validation.scoring.scores import Scored
from testbed.validation.truth import LineTruth
from tests.validation.cells import kept
from tests.validation.scoring.test_baseline import METHOD

if TYPE_CHECKING:
    from testbed.validation.scoring.baseline import Baseline

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the testbed as it was: its ooni calls nothing throttled, and there was no pelt."""
    folder = tmp_path / "repository"
    package = folder / "testbed"
    shutil.copytree(Path(testbed.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    ooni = package / "detectors" / "methods" / "ooni.py"
    ooni.write_text(ooni.read_text().replace("Outcome.THROTTLED", "Outcome.NOT_THROTTLED"))
    (package / "detectors" / "methods" / "pelt.py").unlink()
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    shutil.rmtree(package)
    package.mkdir()
    monkeypatch.setattr(old_detectors, "testbed", type("Package", (), {"__file__": str(package / "__init__.py")}))
    return folder


def now(tmp_path: Path) -> tuple[Baseline, dict[str, Path]]:
    store = Store(tmp_path / "store")
    cell = kept(store, "k")
    said = list(judgements(store, "k", cell.record, ["ooni", "pd", "pelt"]))
    assert said[0].verdict["outcome"] == "throttled"
    scored = [
        Scored("held_out", "policed", "policed/1", each.line, each.observation, each.detector, LineTruth("throttled"),
               each.verdict)
        for each in said
    ]  # fmt: skip
    digests = {each.detector: known_digest(each.detector) for each in said}
    made = baseline_of(scored, suite="toy", method=METHOD, held_out_seed="x", digests=digests)
    return made, {said[0].observation: store.observation_path("k", said[0].observation)}


@pytest.mark.usefixtures("repository")
def test_a_detector_that_has_changed_is_asked_as_it_was(tmp_path: Path) -> None:
    present, places = now(tmp_path)
    before = baseline_at("HEAD", present, places)
    assert before["detectors"]["ooni"]["outcomes"] == "N"
    assert before["detectors"]["pd"] == present["detectors"]["pd"]
    assert "pelt" not in before["detectors"]
    assert before["lines"] == present["lines"]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("ref", ["no-such-branch", "--output=x", "", "HEAD~3"])
def test_a_commit_that_is_not_there_is_told(tmp_path: Path, ref: str) -> None:
    present, places = now(tmp_path)
    with pytest.raises(InputError, match="neither a file nor a commit"):
        baseline_at(ref, present, places)


def test_an_earlier_version_that_cannot_be_asked_is_told(tmp_path: Path, repository: Path) -> None:
    present, places = now(tmp_path)
    package = repository / "testbed"
    subprocess.run([*GIT, "checkout", "-q", "--", "."], cwd=repository, check=True)
    (package / "detectors" / "detect.py").write_text("raise SystemExit('too old')\n")
    subprocess.run([*GIT, "commit", "-qam", "broken"], cwd=repository, check=True)
    with pytest.raises(InvalidRunError, match="too old"):
        baseline_at("HEAD", present, places)
