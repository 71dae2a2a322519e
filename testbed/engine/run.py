"""A run from plan to finished run directory: boot, listen, end, check, write down."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from testbed.engine.engine import ENGINES, GuestSetup
from testbed.engine.judge.captured import finish_captures
from testbed.engine.judge.certificate import checks, notes, problems
from testbed.engine.judge.command_flows import flow_records, flows_of, planned_transfers
from testbed.engine.judge.fingerprint import fingerprint
from testbed.engine.prepare.command import UserCommand, open_files
from testbed.engine.prepare.guest_memory import describe_lack_of_memory, guest_memory_mib
from testbed.engine.prepare.openssl import openssl_configuration
from testbed.engine.prepare.programs import require_programs
from testbed.engine.uml.confine import landlock_version
from testbed.engine.uml.spool import Spool
from testbed.errors import CaptureError, CertificateError, GuestError, RecordError, TestbedError
from testbed.records.capture_file import datagram, read_frames
from testbed.records.files import open_regular, write_atomically
from testbed.records.jsonl import LineWriter
from testbed.records.run import FORMAT, RunDirectory, process_start
from testbed.records.transfers import summarise_transfers

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.engine import Engine
    from testbed.engine.kernel import KernelInfo
    from testbed.records.certificate import GuestCertificate
    from testbed.records.messages import FailedMessage, FinishedMessage, Message
    from testbed.records.plan import Phase, PlanDocument
    from testbed.scenario.plan import Plan

__all__ = ["run_plan"]

_FULL_DISK_BYTES = 1 << 20
Progress = Callable[["Message"], None]


def run_plan(
    plan: Plan,
    kernel: KernelInfo,
    folder: Path,
    *,
    silence_s: float,
    progress: Progress,
    command: UserCommand | None = None,
    memory_mib: int | None = None,
) -> dict[str, Any]:
    """Run a plan.

    Args:
        plan: the scenario, resolved.
        kernel: What a guest runs on, as the plan's engine prepares it.
        folder: the run directory to make.
        silence_s: see `Guest`.
        progress: called with each message of the guest, and with what a command prints (kind ``output``, ``stream``,
            ``data`` in bytes).
        memory_mib: of the guest; None: what the plan needs.
        command: how the plan's command is run; None: as the caller of this process would run it.

    Returns:
        The manifest of the finished run.

    Raises:
        InputError: the command is not there.
        MissingError: the kernel is not built, or the guest would lack a program.
        RecordError: the folder cannot be used.
        InvalidRunError: the run failed; what was recorded is there and marked incomplete.
    """
    began = time.monotonic()
    engine = ENGINES[plan.data["engine"]]
    memory_mib = guest_memory_mib(plan) if memory_mib is None else memory_mib
    engine.require(kernel, memory_mib)
    require_programs(plan)
    openssl_configuration(plan.data["hello"])  # whether it can be had, before anything is made
    argv = plan.command
    if argv is not None and command is None:
        command = UserCommand(argv)
    if command is not None:
        command.program()
        open_files()
    run = RunDirectory.create(folder)
    manifest = _manifest(plan, kernel, memory_mib)
    try:
        run.write_manifest(manifest)
        (folder / "plan.json").write_text(json.dumps(plan.data, indent=1))
        report = _record(plan, engine, kernel, run, command, manifest, memory_mib, silence_s, progress)
        guest_s = time.monotonic() - began
        progress({"kind": "progress", "what": "checking the records", "t": report["emulated_s"]})
        manifest["state"] = "checking"
        run.write_manifest(manifest)
        _judge(run, plan, report["certificate"], manifest)
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


def _record(  # noqa: PLR0917 - what a run consists of
    plan: Plan,
    engine: Engine,
    kernel: KernelInfo,
    run: RunDirectory,
    command: UserCommand | None,
    manifest: dict[str, Any],
    memory_mib: int,
    silence_s: float,
    progress: Progress,
) -> FinishedMessage:
    """Let the guest run the plan, and take over what it recorded, whatever happens; return its report."""
    spool = Spool(run.path)
    keyboard = None if command is None else command.keyboard
    try:
        spool.fill(plan.data, engine.clock, openssl_configuration(plan.data["hello"]))
        if command is not None:
            if command.stdin is not None:
                progress({"kind": "progress", "what": "reading the command's input", "t": 0.0})
            spool.put_command(command.order(run.path), command.stdin)
        setup = GuestSetup(
            kernel=kernel,
            spool=spool,
            log=run.path / "guest.log",
            memory_mib=memory_mib,
            start_ns=plan.data["start_ns"],
            seed=plan.data["seed"],
            silence_s=silence_s,
            keyboard=keyboard,
        )
        with nullcontext() if keyboard is None else keyboard.raw():
            return _run_guest(engine, setup, progress)
    finally:
        manifest["left_behind"] = spool.take_over()
        spool.remove()


def _judge(run: RunDirectory, plan: Plan, found: GuestCertificate, manifest: dict[str, Any]) -> None:
    """Compare what was recorded, and say in the manifest what each transfer came to and what was checked.

    Raises:
        CertificateError: records or captures are missing or malformed.
    """
    expected = [f"captures/{point['name']}.pcap" for point in plan.data["captures"]]
    expected += ["truth.jsonl"] if plan.data["boxes"] else []
    expected += ["measurements.jsonl"] if plan.transfers else []
    for name in expected:
        if not (run.path / name).exists():
            raise CertificateError(f"the guest left no {name}: what happened in this run is not known")
    certificate: dict[str, Any] = {**found}
    try:
        certificate["agreement"] = finish_captures(run, plan, certificate["boxes"])
        if plan.command is not None:
            plan = _with_flows(run, plan, certificate["command_began_s"])
        manifest["transfers"] = summarise_transfers(plan.data, run.measurements(), run.truth())
        manifest["certificate"] = certificate
        certificate["lack_of_memory"] = describe_lack_of_memory((run.path / "guest.log").read_text(errors="replace"))
        manifest["checks"] = checks(plan, certificate, manifest["transfers"])
        manifest["notes"] = notes(plan, manifest)
    except (CaptureError, RecordError) as error:
        raise CertificateError(f"the records of this run cannot be read: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CertificateError(
            f"the records of {run.path} are malformed ({type(error).__name__}: {error}); they are kept as they are"
        ) from error
    manifest["problems"] = problems(manifest["checks"])
    manifest["valid"] = not manifest["problems"]


def _with_flows(run: RunDirectory, plan: Plan, began_s: float) -> Plan:
    """The plan with the flows that its command made, which are written down as what a client saw."""
    *phases, last = plan.data["phases"]
    if last["command"] is None:
        return plan
    node = last["command"]["node"]
    path = run.path / "captures" / f"{node}-client.pcapng"
    if not path.exists():
        return plan  # the client was not captured: the check of transfers says that none is known
    line = plan.topology.nodeInfo(node)["line"]
    with open_regular(path) as file:
        packets = [(frame.t_ns, packet) for frame in read_frames(file) if (packet := datagram(frame)) is not None]
    flows = flows_of(packets, plan.topology.address_of(node), start_ns=plan.data["start_ns"])
    flows = [flow for flow in flows if flow.started >= began_s]
    transfers = planned_transfers(flows, line, plan.data["names"])
    writer = LineWriter(run.path / "measurements.jsonl")
    writer.write(*flow_records(flows, transfers))
    writer.close()
    with_flows: Phase = {"lines": [{"name": line, "node": node, "transfers": [*transfers]}], "command": last["command"]}
    data: PlanDocument = {**plan.data, "phases": [*phases, with_flows]}
    write_atomically(run.path / "plan.json", json.dumps(data, indent=1))
    return replace(plan, data=data)


def _manifest(plan: Plan, kernel: KernelInfo, memory_mib: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "state": "running",
        "process": {"pid": os.getpid(), "started": process_start(os.getpid())},
        "scenario": plan.name,
        "title": plan.data["title"],
        "seed": plan.data["seed"],
        "drawn": plan.data["drawn"],
        "engine": plan.data["engine"],
        "start_ns": plan.data["start_ns"],
        "kernel": {"hash": kernel.hash, "source": kernel.source},
        "versions": {
            name: importlib.metadata.version(name) for name in ("throttling-testbed", "mininet", "NetfilterQueue")
        }
        | {"python": platform.python_version()},
        "fingerprint": {**fingerprint(plan, kernel), "memory_mib": memory_mib},
        "landlock": landlock_version(),
        "host": {"system": platform.platform(), "machine": platform.machine(), "processors": os.cpu_count()},
    }


def _run_guest(engine: Engine, setup: GuestSetup, progress: Progress) -> FinishedMessage:
    """Start a guest and listen to it until it has finished; return its last message."""
    with engine.start(setup) as guest:
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


def _failure(message: FailedMessage) -> TestbedError:
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
