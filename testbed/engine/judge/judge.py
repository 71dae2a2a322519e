"""A run whose guest has ended: its records are compared, and the manifest says what they are worth."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from testbed.engine.judge.captured import finish_captures
from testbed.engine.judge.certificate import checks, notes, problems
from testbed.engine.judge.command_flows import flow_records, flows_of, planned_transfers
from testbed.engine.judge.planned_influences import add_planned_influences
from testbed.engine.prepare.guest_memory import describe_lack_of_memory
from testbed.errors import CaptureError, CertificateError, RecordError
from testbed.records.background import background_notes, summarise_background
from testbed.records.capture_file import datagram, read_frames
from testbed.records.files import open_regular, write_atomically
from testbed.records.jsonl import LineWriter
from testbed.records.transfers import summarise_transfers

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.judge.comparisons import Comparisons
    from testbed.records.certificate import Certificate, GuestCertificate
    from testbed.records.manifest import Manifest
    from testbed.records.plan import LinePlan, Phase, PlanDocument
    from testbed.records.run import RunDirectory
    from testbed.scenario.plan import Plan

__all__ = ["judge"]


def judge(run: RunDirectory, plan: Plan, found: GuestCertificate, manifest: Manifest, comparisons: Comparisons) -> None:
    """Compare what was recorded, and say in the manifest what each transfer came to and what was checked.

    Args:
        run: With the records as the guest left them; its captures are converted.
        plan: Of the run.
        found: The guest's part of the certificate.
        manifest: What is found is put in as soon as it is known, so that a failure further on loses none of it.
        comparisons: Of logs and captures, which may have begun while the guest ran.

    Raises:
        CertificateError: Records or captures are missing or malformed.
    """
    _require_records(run, plan)
    try:
        agreement = finish_captures(run, plan, found, comparisons)
        if plan.command is not None:
            plan = _with_flows(run, plan, found["command_began_s"])
        transfers = summarise_transfers(plan.data, run.each_measurement(), run.each_truth())
        add_planned_influences(plan, transfers, run)
        manifest["transfers"] = transfers
        lack = describe_lack_of_memory((run.path / "guest.log").read_text(errors="replace"))
        certificate: Certificate = {**found, "agreement": agreement, "lack_of_memory": lack}
        manifest["certificate"] = certificate
        manifest["checks"] = checks(plan, certificate, transfers)
        if any("keep" in point for point in plan.data["captures"]):
            run.compress_records()
        manifest["notes"] = notes(plan, transfers, manifest["left_behind"], manifest["emulated_s"])
        if plan.data.get("background"):
            manifest["background"] = summarise_background(plan.data, run.measurements(), run.truth())
            manifest["notes"] += background_notes(plan.data, manifest["background"])
    except (CaptureError, RecordError) as error:
        raise CertificateError(f"the records of this run cannot be read: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CertificateError(
            f"the records of {run.path} are malformed ({type(error).__name__}: {error}); they are kept as they are"
        ) from error
    manifest["problems"] = problems(manifest["checks"])
    manifest["valid"] = not manifest["problems"]


def _require_records(run: RunDirectory, plan: Plan) -> None:
    """A record that is not there is no empty one: nothing may be concluded from it."""
    expected = [f"captures/{point['name']}.pcap" for point in plan.data["captures"]]
    expected += ["truth.jsonl"] if plan.data["boxes"] else []
    expected += ["measurements.jsonl"] if plan.transfers else []
    for name in expected:
        if not (run.path / name).exists():
            raise CertificateError(f"the guest left no {name}: what happened in this run is not known")


def _with_flows(run: RunDirectory, plan: Plan, began_s: float) -> Plan:
    """Return the plan with the flows that its command made, which are written down as what a client saw.

    Flows that began before the command are left out: they are recordings that the scenario made on the same line.
    """
    *phases, last = plan.data["phases"]
    if last["command"] is None:
        return plan
    # In a shell programs may have run on any client.
    nodes = plan.topology.with_role("client") if "is_shell" in last["command"] else [last["command"]["node"]]
    # A client that was not captured is left out: the check of transfers says that none is known.
    lines = [
        _flows_of_node(run, plan, node, path, began_s) for node in nodes if (path := run.capture(f"{node}-client"))
    ]
    if not lines:
        return plan
    with_flows: Phase = {"lines": lines, "command": last["command"]}
    data: PlanDocument = {**plan.data, "phases": [*phases, with_flows]}
    write_atomically(run.path / "plan.json", json.dumps(data, indent=1))
    return replace(plan, data=data)


def _flows_of_node(run: RunDirectory, plan: Plan, node: str, path: Path, began_s: float) -> LinePlan:
    """Return the flows of one client, from its capture, as transfers of its line; write down what it saw of them."""
    line = plan.topology.nodeInfo(node)["line"]
    with open_regular(path) as file:
        packets = ((frame.t_ns, packet) for frame in read_frames(file) if (packet := datagram(frame)) is not None)
        flows = flows_of(packets, plan.addresses_of(node), start_ns=plan.data["start_ns"])
    # Background traffic of the same client is no doing of the command's.
    ends = {(each["local"][0], each["local"][1]) for each in run.measurements() if each["event"] == "connected"}
    flows = [flow for flow in flows if flow.started >= began_s and not {flow.local, flow.remote} & ends]
    transfers = planned_transfers(flows, line, [*plan.data["names"].items(), *plan.data.get("names6", {}).items()])
    writer = LineWriter(run.path / "measurements.jsonl")
    writer.write(*flow_records(flows, transfers))
    writer.close()
    return {"name": line, "node": node, "transfers": [*transfers]}
