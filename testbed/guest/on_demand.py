"""Parts that few scenarios need, each loaded where one asks for it: a module costs the guest as much as a connection.

Where no scenario asks for them, nothing looks for them, and no byte of a run depends on them. Packages of HTTP/2 and
HTTP/3 have a file of their own, which is found where an origin of the plan speaks one of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from mininet.net import Mininet

    from testbed.guest.background import Background
    from testbed.guest.console import Console
    from testbed.guest.network.topology import RoutedTopo
    from testbed.guest.shell import Shell
    from testbed.guest.stage import Stage
    from testbed.records.plan import NewerProtocol, PlanDocument
    from testbed.traffic.log import TransferLog
    from testbed.traffic.origin_server import OriginServer
    from testbed.traffic.request import Request

__all__ = [
    "add_ipv6", "background", "check_ipv6", "cutter", "fetch_http2", "fetch_http3", "find_protocols", "ipv6_of",
    "load_client", "require_nothing_missed", "serve_http2", "shell", "upload_http2", "upload_http3",
]  # fmt: skip

_FOLDER = "/run/testbed/code/protocols"


def find_protocols(plan: PlanDocument, folder: str = _FOLDER) -> None:
    """Let the packages be found, if an origin of the plan speaks more than HTTP/1.1.

    Args:
        plan: What is to be run.
        folder: With the file, and with packages that have extension modules.
    """
    if not any("protocols" in origin for origin in plan["origins"].values()):
        return
    from testbed.guest.start import StoredModules  # what was started first has it under another name

    # Before the folder of all packages that are installed: of what is in both, this is the one that never changes.
    sys.path.insert(1, folder)
    sys.meta_path.insert(0, StoredModules(f"{folder}/protocols.modules"))


def require_nothing_missed(plan: PlanDocument, late_s: float) -> None:
    """Check what a run that begins late has missed. Raises GuestError."""
    from testbed.guest import timetable

    timetable.require_nothing_missed(plan, late_s)


def load_client(protocol: NewerProtocol) -> None:
    """Load the client of a protocol, ahead of its first transfer."""
    import_module(f"testbed.traffic.fetch_{protocol.replace('/', '')}")


def fetch_http2(request: Request, log: TransferLog) -> None:
    """Fetch over HTTP/2."""
    from testbed.traffic.fetch_http2 import fetch_http2 as found

    found(request, log)


def upload_http2(request: Request, log: TransferLog, *, size: int) -> None:
    """Upload over HTTP/2."""
    from testbed.traffic.fetch_http2 import upload_http2 as found

    found(request, log, size=size)


def serve_http2() -> Callable[[ssl.SSLSocket, OriginServer, Callable[[], float]], None]:
    """Return what serves HTTP/2 at our own origin."""
    from testbed.traffic.origin_http2 import serve_http2 as found

    return found


def fetch_http3(request: Request, log: TransferLog) -> None:
    """Fetch over HTTP/3."""
    from testbed.traffic.fetch_http3 import fetch_http3 as found

    found(request, log)


def upload_http3(request: Request, log: TransferLog, *, size: int) -> None:
    """Upload over HTTP/3."""
    from testbed.traffic.fetch_http3 import upload_http3 as found

    found(request, log, size=size)


def add_ipv6(network: Mininet, topology: RoutedTopo) -> None:
    """Give a network IPv6 beside IPv4."""
    from testbed.guest.network.dual_stack import add_ipv6 as found

    found(network, topology)


def check_ipv6(network: Mininet, topology: RoutedTopo) -> int:
    """Compare the kernel's IPv6 addresses with those planned; return how many there are."""
    from testbed.guest.network.dual_stack import check_ipv6 as found

    return found(network, topology)


def ipv6_of(address: str) -> str:
    """Return the IPv6 address of whoever has an IPv4 address."""
    from testbed.guest.network.dual_stack import ipv6_of as found

    return found(address)


def shell(stage: Stage, authority: Path, console: Console) -> Shell | None:
    """Return what starts the programs of a shell, if the plan has one."""
    if not any(phase["command"] is not None and "is_shell" in phase["command"] for phase in stage.plan["phases"]):
        return None
    from testbed.guest.shell import Shell as Found

    return Found(stage, authority, console)


def background(stage: Stage) -> Background | None:
    """Start the background traffic of a plan that has some."""
    if not stage.plan.get("background"):
        return None
    from testbed.guest.background import Background as Found

    return Found(stage)


def cutter() -> Callable[[bytes], int]:
    """Return what says how much of a frame is kept where headers are."""
    from testbed.records.headers_only import HeadersOnly as Found

    return Found().kept
