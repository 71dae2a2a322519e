"""A probe's answer beside what the configuration says about the same: the profile's own numbers, or the pure box asked.

The probe has decided by what its client measured; nothing here was known to it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from testbed.conformance.bench import Bench
from testbed.middlebox.craft import inverted
from testbed.middlebox.events import RuleMatched
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile import Profile
from testbed.records.probes import BudgetFound, DomainsFound, FieldsFound, SymmetryFound, TimeoutFound, TtlFound
from testbed.records.shape import shaped
from testbed.traffic.hello import client_hello

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from testbed.records.plan import ProbeTransfer
    from testbed.records.probes import SymmetryCase
    from testbed.scenario.plan import Plan

__all__ = ["Findings", "ProbeResult", "compare"]

Findings = dict[str, Any]
"""What a probe found, as it was read: the keys of `Calibration`, and of one kind of `ProbeFound`."""

Configured = dict[str, Any]
"""The same from the configuration, in a form of each probe's own, which its table knows."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was found, and what is configured.

    Attributes:
        probe: Its name.
        line: Where.
        profiles: Names of the profiles of the line's boxes that act on a plain hello, nearest first.
        found: The guest's findings.
        configured: The same from the configuration; None: there is nothing to probe.
        agrees: Whether they agree.
    """

    probe: str
    line: str
    profiles: tuple[str, ...]
    found: Findings
    configured: Configured | None
    agrees: bool

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        return {**asdict(self), "profiles": list(self.profiles)}


@dataclass(frozen=True, slots=True)
class _Line:
    """The boxes of the probed line, nearest first; ``acting`` are those that act on a plain hello for ``sni``."""

    sni: str
    options: Mapping[str, object]
    hops: dict[str, int]
    boxes: dict[str, Profile]
    acting: dict[str, Profile]

    @classmethod
    def of(cls, plan: Plan) -> _Line:
        transfer = _probe_of(plan)
        path = plan.path_of(transfer)
        names = [name for name in path if name in plan.data["boxes"]]
        # A TTL counts routers: other boxes on the path are bridges, and change none.
        hops = {name: sum(plan.topology.role(node) == "router" for node in path[: path.index(name)]) for name in names}
        # As at the start of the run, when the probe begins; one that is a cable then has nothing to be found.
        described = {name: plan.data["boxes"][name]["profile"] for name in names}
        boxes = {name: Profile.from_dict(each) for name, each in described.items() if each is not None}
        hello = client_hello(transfer["sni"])
        acting = {name: profile for name, profile in boxes.items() if _acts([profile], hello)}
        return cls(transfer["sni"], transfer["options"], hops, boxes, acting)

    def seconds(self, option: str) -> float:
        """Return the value of an option of the probe that is a span of time."""
        return shaped(self.options[option], float)


def compare(plan: Plan, found: Findings) -> ProbeResult:
    """Put the configuration beside what the plan's probe found.

    Where neither the probe nor the configuration has a box that acts on a plain hello, they agree, and there is nothing
    to compare.
    """
    transfer = _probe_of(plan)
    line = _Line.of(plan)
    configured: Configured | None = None
    agrees = found["plain_held_back"] == bool(line.acting)
    if line.acting and found["plain_held_back"]:
        configured, agrees = _CONFIGURED[transfer["probe"]](line, found)
    profiles = tuple(profile.name for profile in line.acting.values())
    return ProbeResult(transfer["probe"], transfer["line"], profiles, found, configured, agrees)


def _probe_of(plan: Plan) -> ProbeTransfer:
    transfer = plan.transfers[0]
    if transfer["kind"] != "probe":
        raise ValueError(f"the plan {plan.name} is of no probe")
    return transfer


def _acts(profiles: list[Profile], payload: bytes) -> bool:
    """Return whether one of these boxes does anything to a flow whose client sends this."""
    return any(_has_acted(Bench(profile).connect().up(payload)) for profile in profiles)


def _has_acted(bench: Bench) -> bool:
    return bool(bench.of_type(RuleMatched)) or bench.throttles()


def _hop(line: _Line, findings: Findings) -> tuple[Configured, bool]:
    found = shaped(findings, TtlFound)
    after_hop = line.hops[next(iter(line.acting))]
    return {"after_hop": after_hop}, found["after_hop"] == after_hop


def _names(line: _Line, findings: Findings) -> tuple[Configured, bool]:
    found = shaped(findings, DomainsFound)
    profiles = list(line.boxes.values())
    held_back = {each["name"]: _acts(profiles, client_hello(each["name"])) for each in found["names"]}
    return {"held_back": held_back}, all(held_back[each["name"]] == each["held_back"] for each in found["names"])


def _fields(line: _Line, findings: Findings) -> tuple[Configured, bool]:
    found = shaped(findings, FieldsFound)
    hello = client_hello(line.sni, size=None)
    profiles = list(line.acting.values())
    matters = [at for at in range(len(hello)) if not _acts(profiles, inverted(hello, at, at + 1))]
    return {"matters": matters}, matters == found["matters"]


def _timeout(line: _Line, findings: Findings) -> tuple[Configured, bool]:
    """Within the precision asked for: a flow's last packet passes the box a little before it reaches the client."""
    found = shaped(findings, TimeoutFound)
    idle_s = max(_remembered_s(profile) for profile in line.acting.values())
    if found["forgets_s"] is None:
        return {"idle_timeout_s": idle_s}, idle_s >= line.seconds("longest")
    precision = line.seconds("precision")
    agrees = found["remembers_s"] - precision <= idle_s <= found["forgets_s"] + precision
    return {"idle_timeout_s": idle_s}, agrees


def _remembered_s(profile: Profile) -> float:
    residual_s = profile.action.residual_s
    return profile.flows.idle_timeout_s if residual_s is None else residual_s


def _budget(line: _Line, findings: Findings) -> tuple[Configured, bool]:
    """Few flows draw the very ends of the range, so a neighbour of each agrees."""
    found = shaped(findings, BudgetFound)
    budgets = [profile.inspection.budget_packets for profile in line.acting.values()]
    least, most = max(each[0] for each in budgets), max(each[1] for each in budgets)
    agrees = 0 <= found["always"] - least <= 1 and 0 <= most - found["at_most"] <= 1
    return {"budget_packets": [least, most]}, agrees


def _symmetry(line: _Line, findings: Findings) -> tuple[Configured, bool]:
    found = shaped(findings, SymmetryFound)
    hello = client_hello(line.sni)

    def acts(profile: Profile, case: SymmetryCase) -> bool:
        bench = Bench(profile).connect(Direction.UP if case["opened_from"] == "inside" else Direction.DOWN)
        return _has_acted(bench.up(hello) if case["hello_by"] == "client" else bench.down(hello))

    held_back = [any(acts(profile, case) for profile in line.acting.values()) for case in found["cases"]]
    return {"held_back": held_back}, held_back == [case["held_back"] for case in found["cases"]]


_CONFIGURED: dict[str, Callable[[_Line, Findings], tuple[Configured, bool]]] = {
    "ttl": _hop,
    "domains": _names,
    "fields": _fields,
    "timeout": _timeout,
    "budget": _budget,
    "symmetry": _symmetry,
}
