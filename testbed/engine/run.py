"""A run from plan to finished run directory: boot, listen, end, check, write down."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from testbed.engine.confine import landlock_version
from testbed.engine.guest import Guest
from testbed.engine.programs import require_programs
from testbed.errors import CaptureError, CertificateError, GuestError, MissingError, RecordError, TestbedError
from testbed.records.agreement import compare, read_box_captures
from testbed.records.capture_file import Frame, read_frames
from testbed.records.pcapng import write_pcapng
from testbed.records.run import FORMAT, RunDirectory
from testbed.records.transfers import summarise_transfers
from testbed.world.lateness import LATE_S

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo
    from testbed.scenario.plan import Plan

__all__ = ["run_plan"]

_FULL_DISK_BYTES = 1 << 20
_LATE_VIRTUAL_S = 1e-4  # each look at the guest's clock moves it on by 256 ns, and a packet in user space costs some
Progress = Callable[[dict[str, Any]], None]


def run_plan(plan: Plan, kernel: KernelInfo, folder: Path, *, silence_s: float, progress: Progress) -> dict[str, Any]:
    """Run a plan.

    Args:
        plan: the scenario, resolved.
        kernel: a built kernel.
        folder: the run directory to make.
        silence_s: see `Guest`.
        progress: called with each message of the guest.

    Returns:
        The manifest of the finished run.

    Raises:
        MissingError: the kernel is not built, or the guest would lack a program.
        RecordError: the folder cannot be used.
        InvalidRunError: the run failed; what was recorded is there and marked incomplete.
    """
    began = time.monotonic()
    if kernel.path is None:
        raise MissingError("the kernel is not built; run: testbed kernel build")
    require_programs(plan)
    run = RunDirectory.create(folder)
    manifest = _manifest(plan, kernel)
    try:
        (folder / "plan.json").write_text(json.dumps(plan.data, indent=1))
        report = _run_guest(plan, kernel.path, folder, silence_s, progress)
        guest_s = time.monotonic() - began
        progress({"kind": "progress", "what": "checking the records", "t": report["emulated_s"]})
        manifest["state"] = "checking"
        run.write_manifest(manifest)
        certificate = report["certificate"]
        certificate["agreement"] = _finish_captures(run, plan, certificate["boxes"])
        manifest["transfers"] = summarise_transfers(plan.data, run.measurements(), run.truth())
        manifest["certificate"] = certificate
        manifest["problems"] = _problems(certificate)
        manifest["valid"] = not manifest["problems"]
    except BaseException as error:
        problem = _explain(error, folder)
        manifest |= {"state": "incomplete", "valid": False, "problems": [problem]}
        _write_down_what_is_there(run, manifest)
        if isinstance(error, OSError):
            raise RecordError(problem) from error
        if isinstance(error, TestbedError):
            raise type(error)(problem) from error
        raise
    manifest["state"] = "complete"
    manifest["emulated_s"] = report["emulated_s"]
    manifest["wall_s"] = time.monotonic() - began
    manifest["guest_wall_s"] = guest_s
    run.write_manifest(manifest)
    return manifest


def _manifest(plan: Plan, kernel: KernelInfo) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "state": "running",
        "scenario": plan.name,
        "title": plan.data["title"],
        "seed": plan.data["seed"],
        "engine": plan.data["engine"],
        "start_ns": plan.data["start_ns"],
        "kernel": {"hash": kernel.hash, "source": kernel.source},
        "versions": {
            name: importlib.metadata.version(name) for name in ("throttling-testbed", "mininet", "NetfilterQueue")
        }
        | {"python": platform.python_version()},
        "landlock": landlock_version(),
        "host": {"system": platform.platform(), "machine": platform.machine(), "processors": os.cpu_count()},
    }


def _run_guest(plan: Plan, kernel: Path, folder: Path, silence_s: float, progress: Progress) -> dict[str, Any]:
    with Guest(
        kernel,
        folder,
        start_ns=plan.data["start_ns"],
        seed=plan.data["seed"],
        virtual=plan.data["engine"] == "virtual",
        silence_s=silence_s,
    ) as guest:
        try:
            for message in guest.messages():
                progress(message)
                if message["kind"] == "failed":
                    raise _failure(message)
                if message["kind"] == "finished":
                    return message
        except KeyboardInterrupt:
            guest.stop()
            raise
    raise GuestError("the guest ended without a report")


def _failure(message: dict[str, Any]) -> TestbedError:
    kind = CertificateError if message["error"] == "CertificateError" else GuestError
    name = "" if message["error"] in {"GuestError", "CertificateError"} else f"{message['error']}: "
    return kind(f"in the guest: {name}{message['message']}")


def _explain(error: BaseException, folder: Path) -> str:
    """The error in words, and a full disk where there is one: inside the guest it looks like anything."""
    text = "stopped by the user" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
    if isinstance(error, OSError):
        text = f"cannot write the run directory {folder}: {error.strerror}"
    if _is_full(folder):
        text += f"; the disk that holds {folder} is full: free some space, or choose another folder with -o"
    return text


def _is_full(folder: Path) -> bool:
    try:
        status = os.statvfs(folder)
    except OSError:
        return False  # the folder itself is gone
    return status.f_bavail * status.f_frsize < _FULL_DISK_BYTES


def _write_down_what_is_there(run: RunDirectory, manifest: dict[str, Any]) -> None:
    try:
        run.write_manifest(manifest)
    except OSError:
        return  # the disk is full or gone: the first manifest, which says "running", stays


def _finish_captures(run: RunDirectory, plan: Plan, boxes: dict[str, Any]) -> dict[str, Any]:
    """Compare each box's log with its captures, then write the captures as pcapng.

    Raises:
        CaptureError: a capture cannot be read.
    """
    folder = run.path / "captures"
    secrets_file = run.path / "tls-secrets.txt"
    secrets = secrets_file.read_bytes() if secrets_file.exists() else b""
    agreements = {}
    names = {point["name"] for point in plan.data["captures"]}
    for box in plan.data["boxes"]:
        if f"{box}-inside" not in names:
            continue
        inside, outside = (folder / f"{box}-{side}.pcap" for side in ("inside", "outside"))
        subscriber = plan.topology.address_of(plan.topology.client_of(plan.topology.nodeInfo(box)["line"]))
        captures = read_box_captures(inside, outside, subscriber)
        found = compare(
            captures,
            run.truth(box),
            start_ns=plan.data["start_ns"],
            until_ns=boxes[box]["stopped_ns"],
            late_s=_LATE_VIRTUAL_S if plan.data["engine"] == "virtual" else LATE_S,
        )
        agreements[box] = {
            "dropped": found.dropped, "logged": found.logged, "delayed": found.delayed, "held": found.held,
            "rewritten": found.rewritten, "injected": found.injected, "only_captures": len(found.only_captures),
            "only_log": len(found.only_log), "unexplained": len(found.unexplained), "mistimed": found.mistimed,
            "worst_s": found.worst_s,
        }  # fmt: skip
        for side, path, frames in (("inside", inside, captures.inside), ("outside", outside, captures.outside)):
            comments = {number: f"dropped by {box}" for where, number in found.entry_frames if where == side}
            _convert(path, frames, secrets, comments)
        names -= {f"{box}-inside", f"{box}-outside"}
    for name in sorted(names):
        path = folder / f"{name}.pcap"
        with path.open("rb") as file:
            _convert(path, list(read_frames(file)), secrets, {})
    return agreements


def _convert(path: Path, frames: list[Frame], secrets: bytes, comments: dict[int, str]) -> None:
    written = write_pcapng(path.with_suffix(".pcapng"), frames, interface=path.stem, secrets=secrets, comments=comments)
    if written != len(frames):
        raise CaptureError(f"{path}: {written} of {len(frames)} frames were written")
    path.unlink()


def _problems(certificate: dict[str, Any]) -> list[str]:
    """Why the run must not be scored; empty for a valid run."""
    problems = []
    for name, counts in certificate["captures"].items():
        if counts["dropped"]:
            problems.append(f"the capture {name} lost {counts['dropped']} packets")
    for name, counters in certificate["boxes"].items():
        lost = counters["queue_dropped"] + counters["user_dropped"]
        if lost:
            problems.append(f"the middlebox {name} lost {lost} packets on their way to inspection")
    lateness = certificate.get("lateness")
    if lateness and lateness["late"]:
        problems.append(
            f"the guest was starved: {lateness['late']} of {lateness['timers']} timers fired late, the worst by "
            f"{lateness['worst_s'] * 1000:.0f} ms; use the virtual engine, or leave the machine a free processor"
        )
    for name, found in certificate["agreement"].items():
        if found["only_captures"] or found["only_log"] or found["unexplained"]:
            problems.append(
                f"the log of {name} and the captures beside it disagree: {found['only_captures']} drops only in the "
                f"captures, {found['only_log']} entries only in the log, {found['unexplained']} packets from nowhere"
            )
        if found["mistimed"]:
            problems.append(
                f"{found['mistimed']} packets left {name} at another time than its log says, the worst by "
                f"{found['worst_s'] * 1000:.3f} ms"
            )
    return problems
