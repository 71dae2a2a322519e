"""pytest sessions with the plugin, as other projects have them: in a process and a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["session"]


def session(folder: Path, test: str, *options: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run pytest on a module of this text; an empty one: on what is in the folder."""
    if test:
        (folder / "test_it.py").write_text(test)
    # The plugin is named, and not found by its entry point: whether the testbed is installed makes no difference.
    paths = filter(None, [path, str(Path.cwd()), os.environ.get("PYTHONPATH")])
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "pytest", "-p", "testbed.pytest_plugin.plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "--strict-markers", *options],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
