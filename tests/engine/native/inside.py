"""What a guest's root tries to do to the machine, in the place of the agent; prints what came of it as JSON."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.guest.contained import require_namespaces

if TYPE_CHECKING:
    from collections.abc import Callable

_MS_REMOUNT, _MS_BIND = 0x20, 0x1000
_libc = ctypes.CDLL(None, use_errno=True)


def attempt(deed: Callable[[], object]) -> str:
    """Return what the kernel answers."""
    try:
        deed()
    except OSError as error:
        return type(error).__name__
    return "done"


def remount() -> None:
    """Make the machine's files writable again."""
    if _libc.mount(b"none", b"/", None, _MS_REMOUNT | _MS_BIND, None):
        raise OSError(ctypes.get_errno(), "refused")


def _same(path: str) -> None:
    """Write what is there: were it allowed, nothing would have changed."""
    place = Path(path)
    place.write_text(place.read_text())


def main() -> None:
    """Try everything."""
    require_namespaces()
    here = Path(__file__)
    answers = {
        "clock": attempt(lambda: time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns())),
        "remount": attempt(remount),
        "write": attempt(lambda: here.with_name("written").touch()),
        "kernel": attempt(lambda: _same("/proc/sys/kernel/hostname")),
        "panic": attempt(lambda: _same("/proc/sys/kernel/panic")),
        "network": attempt(lambda: _same("/proc/sys/net/ipv4/ip_forward")),
        "output": attempt(lambda: Path("/run/output/written").touch()),
        "links": sorted(line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]),
        "name": socket.gethostname(),
        "name servers": place.read_text() if (place := Path("/etc/resolv.conf")).exists() else "",
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()),  # noqa: PTH208
    }
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
