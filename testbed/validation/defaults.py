"""Where runs are kept, and what held-out seeds are derived from, unless somebody says otherwise."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
from pathlib import Path

import testbed
from testbed.engine.kernel.cache import user_cache

__all__ = ["default_held_out_seed", "default_store"]


def default_store() -> Path:
    """Return the folder of kept runs and verdicts. Raises MissingError: as `user_cache`."""
    return user_cache() / "validation"


def default_held_out_seed() -> str:
    """Return the commit of the testbed that runs, or its version where it is installed."""
    # Nobody can choose a commit's name for the seeds that come of it, and everybody can look it up afterwards.
    module = Path(testbed.__file__)
    # A testbed that is installed may lie in the repository of somebody's project, whose commits are not the testbed's.
    if _git(module.parent, "ls-files", "--error-unmatch", module.name):
        commit = _git(module.parent, "rev-parse", "HEAD")
        if commit:
            return commit
    return importlib.metadata.version("throttling-testbed")


def _git(folder: Path, *words: str) -> str:
    """Return what Git says in a folder; empty: it is not there, or says that there is nothing."""
    git = shutil.which("git")
    if git is None:
        return ""
    found = subprocess.run([git, *words], cwd=folder, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""
