"""What runs in place of nginx and curl where a machine has none, or a scenario asks for it: the testbed's own programs.

A run without them is another run: its plan says so, and with it its fingerprint, its notes and its manifest. Not for:
programs that nothing stands in for (programs.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from testbed.engine.prepare.programs import find_guest_program
from testbed.traffic.origin import is_nginx

if TYPE_CHECKING:
    from testbed.records.plan import FetchTransfer, OriginPlan, Phase, ProgramsPlan, TransferPlan
    from testbed.scenario.plan import Plan

__all__ = ["describe_substitutes", "programs_used", "settle_programs"]


def settle_programs(plan: Plan) -> Plan:
    """Return the plan with the programs that it will run: those that it asks for, else those that are here.

    Where nginx is there it serves, where curl is there it fetches: only what the machine lacks is replaced unasked.
    """
    data = plan.data
    programs: ProgramsPlan = {**data.get("programs", {})}
    served = [origin for origin in data["origins"].values() if is_nginx(origin)]
    if "origin" not in programs and served and find_guest_program("nginx") is None:
        programs["origin"] = "builtin"
    asked = any(transfer["kind"] == "curl" for transfer in plan.transfers)
    if "client" not in programs and asked and find_guest_program("curl") is None:
        programs["client"] = "builtin"
    if not programs:
        return plan
    origins, phases = data["origins"], data["phases"]
    if programs.get("origin") == "builtin":
        origins = {name: _served(origin) for name, origin in origins.items()}
    if programs.get("client") == "builtin":
        phases = [_fetched(phase) for phase in phases]
    return replace(plan, data={**data, "programs": programs, "origins": origins, "phases": phases})


def programs_used(plan: Plan) -> ProgramsPlan:
    """Return which programs a settled plan runs, as far as there is a choice; what nothing needs has no key."""
    found: ProgramsPlan = {}
    origins = plan.data["origins"].values()
    if any(map(is_nginx, origins)):
        found["origin"] = "nginx"
    elif any("builtin" in origin for origin in origins):
        found["origin"] = "builtin"
    if any(each["kind"] == "curl" for each in plan.transfers):
        found["client"] = "curl"
    elif any(each["kind"] == "fetch" and "in_place_of" in each for each in plan.transfers):
        found["client"] = "builtin"
    return found


def describe_substitutes(plan: Plan) -> list[str]:
    """Return what stands in for what in a plan, a sentence each."""
    served = [name for name, origin in plan.data["origins"].items() if "builtin" in origin]
    fetched = [each["name"] for each in plan.transfers if each["kind"] == "fetch" and "in_place_of" in each]
    said = []
    if served:
        said.append(f"the testbed's own server stood in for nginx at {', '.join(served)}")
    if fetched:
        said.append(f"the testbed's own client stood in for curl: {', '.join(dict.fromkeys(fetched))}")
    return said


def _served(origin: OriginPlan) -> OriginPlan:
    return {**origin, "builtin": True} if is_nginx(origin) else origin


def _fetched(phase: Phase) -> Phase:
    lines = phase["lines"]
    return {**phase, "lines": [{**line, "transfers": [*map(_by_us, line["transfers"])]} for line in lines]}


def _by_us(transfer: TransferPlan) -> TransferPlan:
    if transfer["kind"] != "curl":
        return transfer
    # Both kinds have the same keys, but for what only our client can be asked for.
    return cast("FetchTransfer", {**transfer, "kind": "fetch", "in_place_of": "curl"})
