"""Builds the kernel where nothing but Python is installed yet: `python3 -m testbed.engine.kernel`, as make does.

Not for: users, who have `testbed kernel build`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from testbed.engine.kernel.build import ensure_kernel
from testbed.errors import TestbedError

_SECONDS_BETWEEN_LINES = 10.0


def main() -> int:
    """Build the kernel; messages go to stderr, with the seconds since the start. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m testbed.engine.kernel", description="Build the kernel.")
    parser.add_argument("--started", type=float, default=time.time(), help="count seconds from here (Unix time)")
    started = parser.parse_args().started
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way of stopping cleans up
    due = 0.0

    def say(message: str) -> None:
        nonlocal due
        if time.time() >= due:
            due = time.time() + _SECONDS_BETWEEN_LINES
            _print(message, since=started)

    try:
        ensure_kernel(progress=say)
    except TestbedError as error:
        sys.stderr.write(f"kernel: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    if due:
        _print("built", since=started)
    return 0


def _print(message: str, *, since: float) -> None:
    sys.stderr.write(f"[{time.time() - since:4.0f} s] kernel: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
