"""What is said while a run goes on, also where nobody listens any more."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from testbed.cli.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.messages import OutputMessage


def output(data: bytes) -> OutputMessage:
    return {"kind": "output", "stream": "stdout", "data": data}


def test_output_that_nobody_takes_is_lost_and_that_is_said() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as file:
        progress = Progress(0, output=file)
        progress.show(output(b"first"))
        progress.show(output(b"second"))
    assert progress.lost == "stdout: Broken pipe; all that the command printed is in the run directory"


def test_output_that_is_taken_is_not_lost(tmp_path: Path) -> None:
    with (tmp_path / "output").open("w") as file:
        progress = Progress(0, output=file)
        progress.show(output(b"\x1b[2Jas it is"))
    assert progress.lost is None
    assert (tmp_path / "output").read_bytes() == b"\x1b[2Jas it is"


def test_a_caller_may_close_the_standard_streams() -> None:
    command = f"exec {sys.executable} -m testbed.cli show 2021-03-10 <&- >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0


def test_a_line_that_a_command_has_begun_is_not_wiped_out_by_what_it_prints_next() -> None:
    outer, inner = os.openpty()
    with os.fdopen(inner, "w") as terminal:
        script = (
            "from testbed.cli.progress import Progress\n"
            "progress = Progress(0)\n"
            "progress.show({'kind': 'progress', 'what': 'booting', 't': 0.0})\n"
            "for data in (b'half a ', b'line'):\n"
            "    progress.show({'kind': 'output', 'stream': 'terminal', 'data': data})\n"
        )
        subprocess.run([sys.executable, "-c", script], stdout=terminal, stderr=terminal, check=True)
        printed = os.read(outer, 4096)
    os.close(outer)
    assert printed.endswith(b"booting\r\x1b[Khalf a line")
