"""Probes from plan to answer: one run whose only work is the probe, and what the configuration says about the same.

The probe itself runs in the guest and decides by what its client measures. Only here is its answer compared: with the
profile, and with the pure box where the profile does not say it in a number.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from testbed.errors import GuestError, ScenarioError
from testbed.middlebox.conformance.bench import Bench
from testbed.middlebox.events import RuleMatched
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile import Profile
from testbed.records.run import RunDirectory
from testbed.scenario.plan import Plan, make_plan
from testbed.traffic.hello import client_hello, inverted
from testbed.traffic.options import OptionError, known_options, server_name
from testbed.traffic.probes import make_probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["ProbeRequest", "ProbeResult", "compare", "plan_probe", "read_findings"]

# A probe takes the scenario's network and censors; its own measurement takes the place of the others.
_SETTINGS = ["recordings=[]", "measurements=[{evade: plain, role: target}]", "captures=[box]"]
_BYTES = 40_000  # two and a half times the burst that passes (16 kB: Censored Planet, 2021), in two round trips
_TIMEOUT_S = 60.0
_MOST_BYTES = 1 << 20  # of a file of names


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What is to be probed.

    Attributes:
        probe: one of `traffic.probes.PROBES`.
        line: name of the line, None for the first.
        sni: the name in the hellos.
        options: of the probe, as a user writes them.
    """

    probe: str
    line: str | None
    sni: str
    options: Mapping[str, object]

    @classmethod
    def from_words(
        cls, probe: str, options: list[str], *, line: str | None, sni: str, names: Path | None
    ) -> ProbeRequest:
        """A request as it comes from the command line: options as ``key=value``, names in a file.

        Raises:
            ScenarioError: no such form; a file that cannot be read, with the line.
        """
        values: dict[str, object] = {}
        for text in options:
            key, equals, value = text.partition("=")
            if not equals:
                raise ScenarioError(f"--option {text!r}: expected key=value, as in flows=40")
            values[key] = value
        if names is not None:
            if probe != "domains":
                raise ScenarioError(f"--names: the probe {probe} takes no names; testbed probe domains does")
            values["names"] = read_names(names)
        return cls(probe=probe, line=line, sni=sni, options=values)


def read_names(path: Path) -> list[str]:
    """Server names, one a line; empty lines and what follows a # are left out.

    Raises:
        ScenarioError: the file cannot be read, or a line is no server name.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ScenarioError(f"cannot read {path}: {error.strerror}") from error
    if len(text) > _MOST_BYTES:
        raise ScenarioError(f"{path} has more than {_MOST_BYTES} bytes; probe a part of it")
    names = []
    for number, line in enumerate(text.decode("latin-1").splitlines(), start=1):
        name = line.partition("#")[0].strip()
        if name:
            try:
                names.append(server_name(name))
            except ValueError as error:
                raise ScenarioError(f"{path}:{number}: {error}") from error
    return names


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was found, and what is configured.

    Attributes:
        found: the guest's findings.
        configured: the same from the configuration, in a form of each probe's own; None where no box is on the line.
        agrees: whether they agree; None where there is nothing to compare.
    """

    probe: str
    line: str
    found: dict[str, Any]
    configured: dict[str, Any] | None
    agrees: bool | None

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def plan_probe(path: Path, settings: list[str], request: ProbeRequest, *, seed: int | None, engine: str) -> Plan:
    """A plan whose only transfer is the probe.

    Raises:
        ScenarioError: of the scenario as in `make_plan`; no such line; an option that the probe does not take.
    """
    plan = make_plan(path, [*_SETTINGS, *settings], seed=seed, engine=engine, command=None)
    lines = list(plan.data["rtt_s"])
    line = lines[0] if request.line is None else request.line
    if line not in lines:
        raise ScenarioError(f"--line {line}: no such line in this scenario (there: {', '.join(lines)})")
    try:
        probe = make_probe(request.probe, request.options)
        sni = server_name(request.sni)
    except OptionError as error:
        raise ScenarioError(f"probe {request.probe}: {error}") from error
    except ValueError as error:
        raise ScenarioError(f"--sni: {error}") from error
    transfer = {
        "id": f"{line}/probe-{request.probe}", "name": f"probe {request.probe}", "kind": "probe", "line": line,
        "role": "target", "direction": "download", "probe": request.probe, "sni": sni, "size": _BYTES,
        "options": known_options(probe), "at_s": 0.0, "timeout_s": _TIMEOUT_S,
    }  # fmt: skip
    node = plan.topology.client_of(line)
    phase = {"lines": [{"name": line, "node": node, "transfers": [transfer]}], "command": None}
    return replace(plan, data={**plan.data, "phases": [phase], "outages": []})


def read_findings(plan: Plan, folder: Path) -> dict[str, Any]:
    """What the probe of a finished run found.

    Raises:
        GuestError: it found nothing, since the path did not work.
    """
    own = plan.transfers[0]["id"]
    events = {each["event"]: each for each in RunDirectory.open(folder).measurements() if each["transfer"] == own}
    if "found" not in events:
        reason = events["finished"]["error"] if "finished" in events else "it did not finish"
        raise GuestError(f"the probe found nothing: {reason}; {folder} has what was recorded")
    return {key: value for key, value in events["found"].items() if key not in {"t", "transfer", "side", "event"}}


def compare(plan: Plan, found: dict[str, Any]) -> ProbeResult:
    """Put the configuration beside what was found."""
    transfer = plan.transfers[0]
    line, probe = transfer["line"], transfer["probe"]
    boxes = _acting_boxes(plan, line, transfer["sni"])
    make_result = partial(ProbeResult, probe, line, found)
    if not boxes or not found["plain_held_back"]:
        return make_result(None, found["plain_held_back"] == bool(boxes))
    configured = _CONFIGURED[probe](plan, boxes, found)
    return make_result(configured, configured["agrees"])


def _acting_boxes(plan: Plan, line: str, sni: str) -> dict[str, Profile]:
    """The boxes on a line that act on a plain hello, nearest first."""
    client = plan.topology.client_of(line)
    way = plan.topology.path(client, plan.data["replay_server"])
    profiles = {
        name: Profile.from_dict(plan.data["boxes"][name]["profile"]) for name in way if name in plan.data["boxes"]
    }
    return {name: profile for name, profile in profiles.items() if _acts(profile, client_hello(sni))}


def _acts(profile: Profile, payload: bytes) -> bool:
    """Whether the pure box does anything to a flow whose client sends this."""
    return _has_acted(Bench(profile).connect().up(payload))


def _has_acted(bench: Bench) -> bool:
    return bool(bench.of_type(RuleMatched)) or bench.throttles()


def _hop(plan: Plan, boxes: dict[str, Profile], found: dict[str, Any]) -> dict[str, Any]:
    way = plan.topology.path(plan.topology.client_of(plan.transfers[0]["line"]), plan.data["replay_server"])
    before = way[: way.index(next(iter(boxes)))]
    after_hop = sum(plan.topology.role(node) == "router" for node in before)
    return {"after_hop": after_hop, "agrees": found["after_hop"] == after_hop}


def _names(_: Plan, boxes: dict[str, Profile], found: dict[str, Any]) -> dict[str, Any]:
    held_back = {
        each["name"]: any(_acts(profile, client_hello(each["name"])) for profile in boxes.values())
        for each in found["names"]
    }
    return {
        "held_back": held_back,
        "agrees": all(held_back[each["name"]] == each["held_back"] for each in found["names"]),
    }


def _fields(plan: Plan, boxes: dict[str, Profile], found: dict[str, Any]) -> dict[str, Any]:
    hello = client_hello(plan.transfers[0]["sni"], size=None)
    matters = [
        at
        for at in range(len(hello))
        if not any(_acts(profile, inverted(hello, at, at + 1)) for profile in boxes.values())
    ]
    return {"matters": matters, "agrees": matters == found["matters"]}


def _timeout(plan: Plan, boxes: dict[str, Profile], found: dict[str, Any]) -> dict[str, Any]:
    idle_s = max(_remembered_s(profile) for profile in boxes.values())
    precision = plan.transfers[0]["options"]["precision"]
    longest = plan.transfers[0]["options"]["longest"]
    if found["forgets_s"] is None:
        return {"idle_timeout_s": idle_s, "agrees": idle_s >= longest}
    return {
        "idle_timeout_s": idle_s,
        "agrees": found["remembers_s"] - precision <= idle_s <= found["forgets_s"] + precision,
    }


def _remembered_s(profile: Profile) -> float:
    residual_s = profile.action.residual_s
    return profile.flows.idle_timeout_s if residual_s is None else residual_s


def _budget(_: Plan, boxes: dict[str, Profile], found: dict[str, Any]) -> dict[str, Any]:
    """The smallest and largest budget drawn; which of them many flows meet is a matter of luck, so ±1 agrees."""
    least = max(profile.inspection.budget_packets[0] for profile in boxes.values())
    most = max(profile.inspection.budget_packets[1] for profile in boxes.values())
    agrees = 0 <= found["always"] - least <= 1 and 0 <= most - found["at_most"] <= 1
    return {"budget_packets": [least, most], "agrees": agrees}


def _symmetry(plan: Plan, boxes: dict[str, Profile], found: dict[str, Any]) -> dict[str, Any]:
    hello = client_hello(plan.transfers[0]["sni"])

    def acts(profile: Profile, case: dict[str, Any]) -> bool:
        opened_from = Direction.UP if case["opened_from"] == "inside" else Direction.DOWN
        bench = Bench(profile).connect(opened_from)
        return _has_acted(bench.up(hello) if case["hello_by"] == "client" else bench.down(hello))

    held_back = [any(acts(profile, case) for profile in boxes.values()) for case in found["cases"]]
    return {"held_back": held_back, "agrees": held_back == [case["held_back"] for case in found["cases"]]}


_CONFIGURED: dict[str, Callable[[Plan, dict[str, Profile], dict[str, Any]], dict[str, Any]]] = {
    "ttl": _hop,
    "domains": _names,
    "fields": _fields,
    "timeout": _timeout,
    "budget": _budget,
    "symmetry": _symmetry,
}
