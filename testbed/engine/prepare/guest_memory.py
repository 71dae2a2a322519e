"""How much memory a plan's guest needs, from what it consists of.

The constants are what runs used at their peak (MemTotal less MemAvailable inside the guest, looked at twenty times an
emulated second), rounded up: 1, 10 and 30 lines with and without captures, objects of 10, 40 and 120 MB on one line and
on ten. `tests/engine/prepare/test_guest_memory.py` runs the largest of them in what this says.

Not for: whether the machine has it (environment.py).
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from testbed.records.plan import CLIENT_MIB, COPIES_IN_FLIGHT
from testbed.traffic.origin import objects_on_disk

if TYPE_CHECKING:
    from testbed.records.plan import LinePlan, Phase, TransferPlan
    from testbed.scenario.plan import Plan

__all__ = ["COMMAND_MIB", "LEAST_MIB", "describe_lack_of_memory", "guest_memory_mib"]

LEAST_MIB = 512  # what every guest has
STEP_MIB = 256
COMMAND_MIB = 384  # for a program of the user's: an interpreter and what it reads

_BASE_MIB = 64.0  # kernel, agent, authority, one origin
_NODE_MIB = 0.4  # a network namespace, its interfaces and disciplines
_BOX_MIB = 7.0  # a process that inspects, and the tables of its flows
_PROTOCOLS_MIB = 48.0  # what HTTP/2 and HTTP/3 are made of, loaded once
_CAPTURE_MIB = 3.5  # the ring of a packet socket
_MARGIN = 1.25  # pages that files were read into, fragmentation, what differs between machines
_MIB = 1 << 20

_KILLED = re.compile(r"Out of memory: Killed process (\d+) \(([^)]*)\)")
_NONE_LEFT = "System is deadlocked on memory"


def guest_memory_mib(plan: Plan) -> int:
    """Memory that a plan's guest is to be given, in MiB; the same for the same plan on every machine."""
    data = plan.data
    lines = {line["name"] for phase in data["phases"] for line in phase["lines"]}
    on_disk = objects_on_disk(data["origins"])
    objects = sum(
        size for origin in data["origins"].values() for path, size in origin["objects"].items() if path not in on_disk
    )
    need = _BASE_MIB
    need += _NODE_MIB * len(plan.topology.nodes())
    need += CLIENT_MIB * (len(lines) + len(data.get("background", [])))
    need += _PROTOCOLS_MIB * any("protocols" in origin for origin in data["origins"].values())
    need += _BOX_MIB * len(data["boxes"])
    need += _CAPTURE_MIB * len(data["captures"])
    need += (objects + COPIES_IN_FLIGHT * max(map(_bytes_in_flight, data["phases"]), default=0)) / _MIB
    need += CLIENT_MIB * max(map(_connections_beside, data["phases"]), default=0)
    need *= _MARGIN
    if any(phase["command"] is not None for phase in data["phases"]):
        need += COMMAND_MIB
    return max(LEAST_MIB, -(-round(need) // STEP_MIB) * STEP_MIB)


def describe_lack_of_memory(log: str) -> str | None:
    """What the guest's kernel says of processes that it killed for memory, in one sentence; None where it says nothing.

    Args:
        log: What the kernel printed.
    """
    killed = [f"{name} (process {pid})" for pid, name in _KILLED.findall(log)]
    if killed:
        return f"the guest ran out of memory and ended {', '.join(killed)}; give it more with --memory"
    return "the guest ran out of memory; give it more with --memory" if _NONE_LEFT in log else None


def _bytes_in_flight(phase: Phase) -> int:
    """Return what the clients of a phase hold at once: each line runs one transfer, or group, after the other."""
    return sum(max((sum(map(_size_of, group)) for group in _groups(line)), default=0) for line in phase["lines"])


def _connections_beside(phase: Phase) -> int:
    """Return how many processes there are at once because connections go side by side."""
    return sum(max((len(group) for group in _groups(line) if len(group) > 1), default=0) for line in phase["lines"])


def _groups(line: LinePlan) -> list[list[TransferPlan]]:
    """Return a line's transfers, those together that go side by side."""
    return [list(group) for _, group in groupby(line["transfers"], lambda each: each.get("group", each["id"]))]


def _size_of(transfer: TransferPlan) -> int:
    # What is recorded is kept until it is written, and what goes over HTTP/3 by its sender until it has come; of
    # everything else only its count is.
    if transfer["kind"] == "record":
        return transfer["size"]
    if (transfer["kind"] == "fetch" or transfer["kind"] == "upload") and transfer.get("protocol") == "http/3":
        return transfer["size"]
    return 0
