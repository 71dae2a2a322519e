"""The command line as a program of its own, or called in place; and a small scenario for it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
TWITTER, EXAMPLE = "{fetch: twitter.com, role: target, size: 60 kB}", "{fetch: example.com, role: control, size: 60 kB}"
SMALL = [
    "--set", "recordings=[]", "--set", "lines=[{name: mobile, kind: mobile, tspu: true}]",
    "--set", f"measurements=[{TWITTER}, {EXAMPLE}]",
]  # fmt: skip
TRANSFER_KEYS = [
    "name", "line", "sni", "direction", "role", "ok", "bytes", "duration_s", "goodput_bps", "handshake_s", "throttled",
    "rule", "drops", "hello", "influences", "error",
]  # fmt: skip


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command as a program of its own."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    argv = [sys.executable, "-m", "testbed.cli", *arguments]
    return subprocess.run(argv, text=True, check=False, env=environment, stderr=subprocess.PIPE, **options)


def status(*arguments: str) -> int:
    """The exit status of a command, run here."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


@dataclass(frozen=True)
class Call:
    """A finished command, and where its run is."""

    folder: Path
    result: subprocess.CompletedProcess[str]
