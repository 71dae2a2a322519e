"""What large runs cost: number against wall time, memory of the host's process, and disk. Captures keep headers.

python benchmarks/long_runs.py             all, a quarter of an hour
python benchmarks/long_runs.py --only days
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.kernel import ensure_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENARIO = """\
format: 1
title: A large run
about: made by benchmarks/long_runs.py
date: 2021-03-10T09:00:00Z
network: {{topology: russia2021}}
lines:
{lines}
censors: {{tspu: ru-tw-2021}}
origins:
  origin: {{serves: [twitter.com, example.com]}}
measurements:
  - {measurement}
captures: {{client: headers, box: compared}}
{schedule}
"""
LINE = "  - {{name: line{number}, kind: mobile, tspu: true, down: {down}}}"
TARGET, CONTROL = "fetch: twitter.com, role: target", "fetch: example.com, role: control"
MINUTES = 60 * 24 * 60  # of sixty days
LOOK_S = 0.1
BLOCK_BYTES = 512  # stat(2), st_blocks


@dataclass(frozen=True, slots=True)
class Case:
    """One run: what it is called in the table, and its scenario."""

    kind: str
    name: str
    bytes: int
    scenario: str


def cases() -> Iterator[Case]:
    """Every run, the small ones of each kind first."""
    for count in (2, 100, 361, 1000, 3000):
        schedule = f"schedule: {{every: {MINUTES // count} min, count: {count}}}"
        yield _case("days", f"60 days, {count} transfers of 100 kB", 100_000 * count, schedule=schedule)
    for lines in (10, 30, 100):
        yield _case("lines", f"{lines} lines at once, 100 kB each", 100_000 * lines, lines=lines)
    for megabytes in (10, 120, 1000):
        measured = f"{CONTROL}, size: {megabytes} MB, timeout: 1 h"
        yield _case("objects", f"an object of {megabytes} MB", megabytes * 10**6, measured=measured, down="100 Mbit/s")


def _case(
    kind: str, name: str, size: int, *, lines: int = 1, measured: str = f"{TARGET}, size: 100 kB",
    down: str = "20 Mbit/s", schedule: str = "",
) -> Case:  # fmt: skip
    listed = "\n".join(LINE.format(number=number, down=down) for number in range(lines))
    text = SCENARIO.format(lines=listed, measurement=f"{{{measured}}}", schedule=schedule)
    return Case(kind, name, size, text)


def measure(case: Case, folder: Path) -> str:
    """Return the row of a case."""
    folder.mkdir()
    (folder / "scenario.yaml").write_text(case.scenario)
    argv = [sys.executable, "-m", "testbed.cli", "run", str(folder / "scenario.yaml"), "-o", str(folder / "run")]
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak_kb = peak_disk = 0
    while process.poll() is None:
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        peak_disk = max(peak_disk, _on_disk(folder / "run"))
        time.sleep(LOOK_S)
    wall_s = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"{case.name}: testbed run ended with status {process.returncode}")
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    disk = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
    return (
        f"| {case.name} | {wall_s:.0f} s | {peak_kb / 1024:.0f} MiB | {manifest['fingerprint']['memory_mib']} MiB "
        f"| {peak_disk / 1e6:.1f} MB | {disk / 1e6:.1f} MB | {100 * disk / case.bytes:.1f} % "
        f"| {'yes' if manifest['valid'] else 'no'} |"
    )


def _on_disk(folder: Path) -> int:
    """Return the bytes that a folder's files take; a file may go away while it is looked at."""
    taken = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            taken += path.lstat().st_blocks * BLOCK_BYTES
    return taken


def _peak_kb(process: int) -> int:
    """Return the most memory that a process has had, and 0 once it has ended."""
    try:
        status = Path("/proc", str(process), "status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="What large runs cost.")
    parser.add_argument("--only", choices=["days", "lines", "objects"], help="one kind of run")
    only = parser.parse_args().only
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    print("| run | wall time | host's process | guest | disk meanwhile | disk | of the bytes transferred | valid |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for number, case in enumerate(cases()):
            if only in {None, case.kind}:
                print(measure(case, Path(name) / str(number)), flush=True)


if __name__ == "__main__":
    main()
