"""`probe`: loaded where it is asked for; what is wrong with a probe is told before anything runs."""

from __future__ import annotations

import subprocess
import sys

from tests.cli.program import REPOSITORY, status

PROGRAM = """\
import sys
import testbed.cli.commands.runs
print([name for name in sys.modules if name.startswith(("testbed.conformance", "testbed.probing"))])
"""


def test_a_run_does_not_wait_for_what_only_a_probe_needs() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_probe_of_a_line_that_is_not_there_is_refused_with_status_2() -> None:
    assert status("probe", "ttl", "2021-03-10", "--line", "nowhere") == 2
