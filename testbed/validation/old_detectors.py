"""What the detectors of an earlier commit say of the same observations: a baseline without a file, and without a run.

The earlier version of the testbed is taken out of the repository into a folder that goes away, and asked in a
process of its own. Only detectors whose code has changed are asked; the others say what they say now.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import testbed
from testbed.detectors.registry import is_packaged
from testbed.errors import InputError, InvalidRunError
from testbed.validation import judge_elsewhere
from testbed.validation.judging import detector_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from testbed.validation.scoring.baseline import Baseline

__all__ = ["baseline_at"]


def baseline_at(ref: str, now: Baseline, places: Mapping[str, Path]) -> Baseline:
    """Return what an earlier version would have said, in place of a baseline of the present one.

    Args:
        ref: A commit, a branch or a tag of the repository that this program runs from.
        now: What the present detectors say.
        places: Where each observation's file is, by its digest.

    Raises:
        InputError: There is no such commit, or this program does not run from a repository.
        InvalidRunError: The earlier version cannot be asked.
    """
    with _checked_out(ref) as root:
        digests = {name: detector_digest(name, root) for name in now["detectors"] if is_packaged(name)}
        present = {name: digest for name, digest in digests.items() if digest is not None}
        changed = [name for name, digest in present.items() if digest != now["detectors"][name]["digest"]]
        outcomes = _asked(root, changed, [places[line["observation"]] for line in now["lines"]]) if changed else {}
    return {
        **now,
        "detectors": {
            name: {"digest": digest, "outcomes": outcomes.get(name, now["detectors"][name]["outcomes"])}
            for name, digest in present.items()
        },
    }


@contextlib.contextmanager
def _checked_out(ref: str) -> Iterator[Path]:
    git = shutil.which("git")
    repository = Path(testbed.__file__).parent.parent
    if git is None:
        raise InputError(f"--baseline {ref}: git is not there; give the file of a baseline")
    # Looked up first, and given on as a hash: a name that begins with a hyphen would be an option.
    found = subprocess.run(
        [git, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"],
        cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        raise InputError(f"--baseline {ref}: neither a file nor a commit of the repository {repository}")
    packed = subprocess.run(
        [git, "archive", "--format=zip", found.stdout.strip(), "testbed"],
        cwd=repository, capture_output=True, check=False,
    )  # fmt: skip
    if packed.returncode:
        raise InputError(f"--baseline {ref}: {packed.stderr.decode(errors='replace').strip()}")
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder)
        yield Path(folder) / "testbed"


def _asked(root: Path, detectors: Sequence[str], observations: Sequence[Path]) -> dict[str, str]:
    """Return a letter for each observation, by detector."""
    tasks = [json.dumps({"observation": str(path), "detectors": list(detectors)}) for path in observations]
    # -P: the folder of the program itself is not looked into, which has modules of the present version.
    environment = {**os.environ, "PYTHONPATH": str(root.parent)}
    done = subprocess.run(
        [sys.executable, "-P", judge_elsewhere.__file__], input="\n".join(tasks), env=environment, cwd=root.parent,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    answers = done.stdout.splitlines()
    if done.returncode or len(answers) != len(observations):
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise InvalidRunError(f"the earlier detectors cannot be asked: {last}")
    letters = [json.loads(answer)["outcomes"] for answer in answers]
    return {name: "".join(each[index] for each in letters) for index, name in enumerate(detectors)}
