"""What tests of background flows share: two sockets of the loopback interface, and what a flow writes down."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

from testbed.records.jsonl import LineWriter
from testbed.traffic.background_flow import Loop
from testbed.traffic.log import TransferLog

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.background import BackgroundPlan


class Loopback:
    def open(self, kind: socket.SocketKind, *, at_opener: bool) -> socket.socket:
        del at_opener
        return socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)

    def address(self, *, of_opener: bool) -> str:
        del of_opener
        return "127.0.0.1"


def plan_of(kind: Any, **more: Any) -> BackgroundPlan:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    plan: Any = {
        "id": "background/01", "kind": kind, "name": "n", "line": "a", "direction": "download", "sender": "s",
        "receiver": "a", "opener": "a", "inside": "a", "port": port, "seed": 7, "flows": 1,
        "congestion_control": "cubic", **more,
    }  # fmt: skip
    plan_: BackgroundPlan = plan
    return plan_


class Bench:
    """A flow, what it writes down, and a loop that runs it for so many rounds."""

    def __init__(self, path: Path) -> None:
        self.path = path / "m.jsonl"
        self.writer = LineWriter(self.path)
        self.log = TransferLog(self.writer, transfer="x", side="client", start_ns=time.time_ns())
        self.loop = Loop()

    def records(self) -> list[dict[str, Any]]:
        self.writer.close()
        return [json.loads(line) for line in self.path.read_text().splitlines()]
