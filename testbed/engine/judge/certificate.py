"""What was checked of a run: passed, failed, or not checked. A check that was not made is not passed."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from testbed.engine.judge.ipv4_rules import ipv4_only_rules
from testbed.engine.prepare.substitutes import describe_substitutes
from testbed.guest.events import planned_event
from testbed.records.certificate import Check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.certificate import (
        AgreementFound,
        BoxCounters,
        CaptureCounters,
        Certificate,
        Lateness,
        NetworkFound,
    )
    from testbed.records.manifest import TransferSummary
    from testbed.scenario.plan import Plan

__all__ = ["checks", "notes", "problems"]


def checks(plan: Plan, certificate: Certificate, transfers: list[TransferSummary]) -> list[Check]:
    """Return all checks of a run that has ended.

    Args:
        plan: What was planned.
        certificate: What the guest and the comparison of log and captures found.
        transfers: `summarise_transfers`.
    """
    return [
        _network(certificate["network"]),
        _captures(certificate["captures"]),
        _inspection(certificate["boxes"]),
        _drops(plan.data["boxes"], certificate["agreement"]),
        _clock(certificate.get("lateness")),
        _memory(certificate["lack_of_memory"]),
        _transfers(plan, transfers),
    ]


def problems(found: Iterable[Check]) -> list[str]:
    """Return why the run must not be scored; empty for a valid run."""
    return [each["about"] for each in found if each["state"] == "failed"]


def notes(plan: Plan, transfers: list[TransferSummary], left_behind: list[str], emulated_s: float) -> list[str]:
    """Return what a reader has to know though the run is valid.

    Args:
        plan: Of the run.
        transfers: What each came to.
        left_behind: What the guest left that was not taken over.
        emulated_s: How long the run took, seconds of the guest's time.
    """
    found = [f"no box on line {line}: {why}" for line, why in plan.data["without_box"].items()]
    found += [
        f"box {name} is a cable from {change['at_s']:g} s on: {change['why']}"
        for name, box in plan.data["boxes"].items()
        for change in box.get("changes", [])
        if "why" in change and change["at_s"] <= emulated_s
    ]
    for event in map(planned_event, plan.data["events"]):
        note = event.note()
        if note is not None and event.begins_s(plan.topology) <= emulated_s:
            found.append(note)
        elif note is not None:  # what was planned did not happen, and must not be told as if it had
            found.append(f"did not happen, for the run was over after {emulated_s:.1f} s: {note}")
    found += ipv4_only_rules(plan.data)
    found += describe_substitutes(plan)
    found += [f"left in the guest, not taken over: {each}" for each in left_behind]
    unread: dict[str, list[str]] = defaultdict(list)
    for transfer in transfers:
        if transfer["hello"] and transfer["role"] != "control" and transfer["kind"] != "evade":
            unread[transfer["hello"]].append(transfer["name"])
    for why, names in unread.items():
        named = ", ".join(dict.fromkeys(names))
        since = ", as browsers have sent since 2024" if "packets" in why else ""
        counted = "1 transfer was" if len(names) == 1 else f"{len(names)} transfers were"
        found.append(f"{counted} not found by {'its' if len(names) == 1 else 'their'} box ({why}{since}): {named}")
    return found


def _check(name: str, failures: Iterable[str], *, passed: str) -> Check:
    about = "; ".join(failures)
    return Check(check=name, state="failed" if about else "passed", about=about or passed)


def _not_checked(name: str, about: str) -> Check:
    return Check(check=name, state="not checked", about=about)


def _network(found: NetworkFound) -> Check:
    changed = found.get("changed_by_command", [])
    with_ipv6 = f", with {found['ipv6_addresses']} IPv6 addresses" if "ipv6_addresses" in found else ""
    until = f" until the command changed its own node: {'; '.join(changed)}" if changed else ""
    return _check("network", (), passed=f"network as planned{with_ipv6}{until}")


def _captures(counts: dict[str, CaptureCounters]) -> Check:
    if not counts:
        return _not_checked("captures", "loss of captures not checked: the scenario captures nothing")
    lost = [f"the capture {name} lost {each['dropped']} packets" for name, each in counts.items() if each["dropped"]]
    return _check("captures", lost, passed=f"none of {len(counts)} captures lost a packet")


def _inspection(boxes: dict[str, BoxCounters]) -> Check:
    if not boxes:
        return _not_checked("inspection", "inspection not checked: no box stands on any line")
    lost = {name: each["queue_dropped"] + each["user_dropped"] for name, each in boxes.items()}
    failures = [
        f"the middlebox {name} lost {count} packets on their way to inspection" for name, count in lost.items() if count
    ]
    return _check("inspection", failures, passed="no packet was lost on its way to inspection")


def _drops(boxes: Iterable[str], agreement: dict[str, AgreementFound]) -> Check:
    names = list(boxes)
    unchecked = [name for name in names if name not in agreement]
    failures = [text for name, found in agreement.items() for text in _disagreements(name, found)]
    if failures:
        return _check("drops", failures, passed="")
    if not names:
        return _not_checked("drops", "drops not checked: no box stands on any line")
    if unchecked:
        without = "no box" if len(unchecked) == len(names) else f"{', '.join(unchecked)} not"
        return _not_checked("drops", f"drops not checked: {without} captured on both sides (captures: [box])")
    logged = sum(found["logged"] for found in agreement.values())
    compared = sum(found["compared"] for found in agreement.values())
    about = f"log and captures agree on all {logged} drops of {compared} packets{_left_out(agreement)}"
    return _check("drops", (), passed=about)


def _left_out(agreement: dict[str, AgreementFound]) -> str:
    """Return what was not compared, by kind."""
    counts: dict[str, int] = defaultdict(int)
    for found in agreement.values():
        for kind, count in found["not_compared"].items():
            counts[kind] += count
    named = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()) if count)
    return f" (not compared: {named})" if named else ""


def _disagreements(name: str, found: AgreementFound) -> Iterable[str]:
    if found["only_captures"] or found["only_log"] or found["unexplained"]:
        yield (
            f"the log of {name} and the captures beside it disagree: {found['only_captures']} drops only in the "
            f"captures, {found['only_log']} entries only in the log, {found['unexplained']} packets from nowhere"
        )
    if found["mistimed"]:
        yield (
            f"{found['mistimed']} packets left {name} at another time than its log says, the worst by "
            f"{found['worst_s'] * 1000:.3f} ms"
        )


def _clock(lateness: Lateness | None) -> Check:
    if lateness is None:
        return _check("clock", (), passed="virtual time: the clock stood still while anything computed")
    if not lateness["late"]:
        return _check("clock", (), passed=f"none of {lateness['timers']} timers fired late")
    about = (
        f"the guest was starved: {lateness['late']} of {lateness['timers']} timers fired late, the worst by "
        f"{lateness['worst_s'] * 1000:.0f} ms; use the virtual engine, or leave the machine a free processor"
    )
    return _check("clock", [about], passed="")


def _memory(lack: str | None) -> Check:
    return _check("memory", [lack] if lack else [], passed="the guest had memory enough")


def _transfers(plan: Plan, transfers: list[TransferSummary]) -> Check:
    """Look for a role all of whose transfers failed, where no box and no outage explains it: the network is broken."""
    if not transfers:
        return _not_checked("transfers", f"transfers not checked: {_why_none(plan)}")
    by_role: dict[str, list[TransferSummary]] = defaultdict(list)
    for transfer in transfers:
        by_role[transfer["role"]].append(transfer)
    by_role.pop("command", None)  # what a user's program tries may fail for reasons of its own
    failures = []
    for role, of_role in by_role.items():
        # One that failed may be a result. All that failed of one kind, for no reason that is known, tell of a server or
        # a network that did not work, and then what succeeded is worth no more.
        unexplained = [each for each in of_role if not each["ok"] and not _is_explained(each, plan)]
        if len(unexplained) == len(of_role):
            errors = sorted({str(each["error"]) for each in unexplained})
            failures.append(
                f"all {len(of_role)} transfers with the role {role} failed, and neither a box nor an outage "
                f"explains it: {'; '.join(errors[:3])}"
            )
    worked = sum(each["ok"] for each in transfers)
    return _check("transfers", failures, passed=f"{worked} of {len(transfers)} transfers were completed")


def _why_none(plan: Plan) -> str:
    """Say why no transfer is known; what a command did is read from captures of clients."""
    if plan.command is None:
        return "none was planned"
    if any(point["name"].endswith("-client") for point in plan.data["captures"]):
        return "the command opened no flow"
    return "what flows the command opened is not known, for no client is captured (captures: [client])"


def _is_explained(transfer: TransferSummary, plan: Plan) -> bool:
    """Return whether a box acted on a transfer that failed, or a link on its way was out meanwhile."""
    if transfer["action"] or any(each["who"] == "censor" and each["packets"] != 0 for each in transfer["influences"]):
        return True
    planned = next((each for each in plan.transfers if each["id"] == transfer["id"]), None)
    if planned is None:
        return False
    began = transfer["start_s"] or 0.0
    ended = began + planned["timeout_s"]
    path = {frozenset(pair) for pair in pairwise(plan.path_of(planned))}
    events = [planned_event(event) for event in plan.data["events"]]
    return any(event.cuts(link, began, ended) for event in events for link in path)
