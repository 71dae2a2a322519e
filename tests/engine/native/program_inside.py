"""Starts a user's program on a node as the agent does, in the place of the agent; prints what it did as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from testbed.guest.contained import begin
from testbed.guest.network.node import Client
from testbed.guest.user_program import COMMAND_FOLDER, start_program

_OUTPUT, _WORK = Path("/run/output"), Path("/run/testbed")


def main() -> None:
    """Start the program of the order that lies in the guest's folder, and wait for its end."""
    begin()
    etc = _WORK / "etc"
    (etc / "certificates").mkdir(parents=True)
    for name in ("hosts", "resolv.conf", "passwd", "group", "nsswitch.conf", "ca.pem"):
        (etc / name).write_text(f"{name} of the guest\n")
    (_OUTPUT / COMMAND_FOLDER).mkdir()
    order = json.loads((_OUTPUT / "command.json").read_text())
    program = start_program(order, Client("client"), _OUTPUT, etc, is_contained=True)
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    if program.terminal is not None:
        program.terminal.show()
    sys.stdout.write(json.dumps({"status": program.status()}))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
