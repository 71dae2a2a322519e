"""Once the agent is loaded, memory is handed out as ever."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import testbed.guest.load, testbed.guest.agent
assert testbed.guest.load.main is testbed.guest.agent.main
print(*(line for line in open("/proc/self/status") if line.startswith("VmLck")))
"""


def test_no_page_is_locked_once_the_agent_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split()[1:] == ["0", "kB"]
