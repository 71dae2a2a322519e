"""Probes from a user's words to findings: a plan whose only transfer is the probe, and what its run recorded.

The probe itself runs in the guest (`traffic.probes`); `probe_check` compares its answer with the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from testbed.errors import GuestError, ScenarioError
from testbed.records.run import RunDirectory
from testbed.scenario.options import OptionError, read_options
from testbed.scenario.plan import Plan, make_plan
from testbed.traffic.options import known_options, server_name
from testbed.traffic.probes import PROBES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testbed.probing.check import Findings
    from testbed.records.plan import Phase, ProbeTransfer

__all__ = ["ProbeRequest", "plan_probe", "read_findings", "read_names"]

# A probe takes the scenario's network and censors; its own measurement takes the place of the others.
_SETTINGS = ["recordings=[]", "measurements=[{evade: plain, role: target}]", "captures=[box]"]
_BYTES = 40_000  # two and a half times the burst that passes (16 kB: Censored Planet, 2021), in two round trips
_TIMEOUT_S = 60.0
_MOST_BYTES = 1 << 20  # of a file of names


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """What is to be probed.

    Attributes:
        probe: One of `traffic.probes.PROBES`.
        line: Name of the line, None for the first.
        sni: The name in the hellos.
        options: Of the probe, as a user writes them.
    """

    probe: str
    line: str | None
    sni: str
    options: Mapping[str, object]

    @classmethod
    def from_words(
        cls, probe: str, options: list[str], *, line: str | None, sni: str, names: Path | None
    ) -> ProbeRequest:
        """Return a request as it comes from the command line: options as ``key=value``, names in a file.

        Raises:
            ScenarioError: No such form; a file that cannot be read, with the line.
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
        ScenarioError: The file cannot be read, or a line is no server name.
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


def plan_probe(path: Path, settings: list[str], request: ProbeRequest, *, seed: int | None, engine: str) -> Plan:
    """Return a plan whose only transfer is the probe.

    Raises:
        ScenarioError: Of the scenario as in `make_plan`; no such line; an option that the probe does not take.
    """
    plan = make_plan(path, [*_SETTINGS, *settings], seed=seed, engine=engine, command=None)
    lines = list(plan.data["rtt_s"])
    line = lines[0] if request.line is None else request.line
    if line not in lines:
        raise ScenarioError(f"--line {line}: no such line in this scenario (there: {', '.join(lines)})")
    try:
        probe = read_options(PROBES[request.probe], request.options)
        sni = server_name(request.sni)
    except OptionError as error:
        raise ScenarioError(f"probe {request.probe}: {error}") from error
    except ValueError as error:
        raise ScenarioError(f"--sni: {error}") from error
    transfer: ProbeTransfer = {
        "id": f"{line}/probe-{request.probe}", "name": f"probe {request.probe}", "kind": "probe", "line": line,
        "role": "target", "direction": "download", "probe": request.probe, "sni": sni, "size": _BYTES,
        "options": known_options(probe), "at_s": 0.0, "timeout_s": _TIMEOUT_S,
    }  # fmt: skip
    if "ip" in plan.transfers[-1]:  # of the scenario: what takes the measurements' place says nothing of its own
        transfer["ip"] = 6
    node = plan.topology.client_of(line)
    phase: Phase = {"lines": [{"name": line, "node": node, "transfers": [transfer]}], "command": None}
    return replace(plan, data={**plan.data, "phases": [phase], "events": []})


def read_findings(plan: Plan, folder: Path) -> Findings:
    """Return what the probe of a finished run found.

    Raises:
        GuestError: It found nothing, since the path did not work.
    """
    own = plan.transfers[0]["id"]
    records = RunDirectory.open(folder).measurements(own)
    found = next((record for record in reversed(records) if record["event"] == "found"), None)
    if found is None:
        finished = next((record for record in reversed(records) if record["event"] == "finished"), None)
        reason = finished["error"] if finished is not None else "it did not finish"
        raise GuestError(f"the probe found nothing: {reason}; {folder} has what was recorded")
    return {key: value for key, value in found.items() if key not in {"t", "transfer", "side", "event"}}
