"""Where runs are kept, and what held-out seeds are derived from, unless somebody says otherwise."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
from pathlib import Path

import testbed

__all__ = ["default_held_out_seed", "default_store"]


def default_store() -> Path:
    """Return the folder of kept runs and verdicts, in the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "throttling-testbed" / "validation"


def default_held_out_seed() -> str:
    """Return the commit of the testbed that runs, or its version where it is installed."""
    # Nobody can choose a commit's name for the seeds that come of it, and everybody can look it up afterwards.
    folder = Path(testbed.__file__).parent
    git = shutil.which("git")
    if git is not None:
        found = subprocess.run([git, "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    return importlib.metadata.version("throttling-testbed")
