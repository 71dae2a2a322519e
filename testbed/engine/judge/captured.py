"""The captures of a run that has ended: compared with the boxes' logs, then written as pcapng."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from testbed.engine.engine import ENGINES
from testbed.errors import CaptureError, RecordError
from testbed.records.agreement import compare, read_box_captures
from testbed.records.capture_file import Frame, read_frames
from testbed.records.files import open_regular, read_regular
from testbed.records.pcapng import write_pcapng

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.certificate import AgreementFound, BoxCounters
    from testbed.records.run import RunDirectory
    from testbed.scenario.plan import Plan

__all__ = ["finish_captures"]

_MOST_SECRET_BYTES = 1 << 24
# The NSS key log format (SSLKEYLOGFILE): label, client random, secret. Whatever else a program wrote there stays out.
_SECRET = re.compile(rb"[A-Z0-9_]{1,40} [0-9a-fA-F]{64} [0-9a-fA-F]{64,128}")


def finish_captures(run: RunDirectory, plan: Plan, boxes: dict[str, BoxCounters]) -> dict[str, AgreementFound]:
    """Compare each box's log with its captures, then write the captures as pcapng.

    Args:
        run: With the captures as the guest left them.
        plan: Of the run.
        boxes: What each box reported.

    Returns:
        By box that was captured on both sides: what the comparison found.

    Raises:
        CaptureError: A capture cannot be read.
        RecordError: A log cannot be read.
        OSError: The folder cannot be written.
    """
    folder = run.path / "captures"
    secrets = _secrets(run.path)
    agreements: dict[str, AgreementFound] = {}
    names = {point["name"] for point in plan.data["captures"]}
    for box in plan.data["boxes"]:
        if f"{box}-inside" not in names:
            continue  # not captured: the certificate says that its drops were not checked
        inside, outside = (folder / f"{box}-{side}.pcap" for side in ("inside", "outside"))
        subscriber = plan.topology.address_of(plan.topology.client_of(plan.topology.nodeInfo(box)["line"]))
        captures = read_box_captures(inside, outside, subscriber)
        found = compare(
            captures,
            run.truth(box),
            start_ns=plan.data["start_ns"],
            until_ns=boxes[box]["stopped_ns"],
            late_s=ENGINES[plan.data["engine"]].late_s,
        )
        agreements[box] = {
            "dropped": found.dropped, "logged": found.logged, "delayed": found.delayed, "held": found.held,
            "rewritten": found.rewritten, "injected": found.injected, "only_captures": len(found.only_captures),
            "only_log": len(found.only_log), "unexplained": len(found.unexplained), "mistimed": found.mistimed,
            "worst_s": found.worst_s, "compared": found.compared, "not_compared": found.not_compared,
        }  # fmt: skip
        # The frames are still in memory from the comparison: they are written with it, and read from the disk once.
        for side, path, frames in (("inside", inside, captures.inside), ("outside", outside, captures.outside)):
            comments = {number: f"dropped by {box}" for where, number in found.entry_frames if where == side}
            _convert(path, frames, secrets, comments)
        names -= {f"{box}-inside", f"{box}-outside"}
    for name in sorted(names):
        path = folder / f"{name}.pcap"
        with open_regular(path) as file:
            _convert(path, list(read_frames(file)), secrets, {})
    return agreements


def _secrets(folder: Path) -> bytes:
    """Return the TLS secrets of our own clients and of a command, line by line."""
    found = []
    for path in (folder / "tls-secrets.txt", folder / "output" / "tls-secrets.txt"):
        try:
            data = read_regular(path, most_bytes=_MOST_SECRET_BYTES)
        except (OSError, RecordError):
            continue
        found += [line for line in data.split(b"\n") if _SECRET.fullmatch(line)]
    return b"".join(line + b"\n" for line in found)


def _convert(path: Path, frames: list[Frame], secrets: bytes, comments: dict[int, str]) -> None:
    written = write_pcapng(path.with_suffix(".pcapng"), frames, interface=path.stem, secrets=secrets, comments=comments)
    if written != len(frames):
        raise CaptureError(f"{path}: {written} of {len(frames)} frames were written")
    path.unlink()  # only when the other is whole: a run that dies here keeps its captures
