"""What `testbed show` and `testbed inspect` print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.errors import ScenarioError
from testbed.middlebox.adapters.pcap import inspect_capture
from testbed.middlebox.events import event_to_json
from testbed.report.table import format_table
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import load_profile
from testbed.world.network import topology_class

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["inspection_lines", "show"]


def show(name: str) -> str:
    """A profile with its evidence, a topology with its parameters, or a scenario with what it resolves to.

    Raises:
        ScenarioError: nothing has that name, or it cannot be used.
    """
    if name in library.names("profiles"):
        return _show_profile(name)
    if name in library.names("topologies"):
        return _show_topology(name)
    try:
        path = library.find("scenarios", name)
    except ScenarioError as error:
        everything = [each for kind in ("scenarios", "topologies", "profiles") for each in library.names(kind)]
        raise ScenarioError(f"nothing is called {name!r}; there are: {', '.join(everything)}") from error
    return _show_scenario(path)


def _show_profile(name: str) -> str:
    censor = load_profile(name)
    rows = [
        (
            each.key,
            json.dumps(each.value, ensure_ascii=False),
            each.grade,
            "; ".join(filter(None, (each.source, each.note))),
        )
        for each in censor.evidence
    ]
    return f"{name}: {censor.profile.summary}\n\n" + format_table(("key", "value", "grade", "source"), rows)


def _show_topology(name: str) -> str:
    found = topology_class(str(library.find("topologies", name)), name)
    rows = [(key, json.dumps(each.default), each.about) for key, each in found.parameters.items()]
    return format_table(("parameter", "default", "about"), rows)


def _show_scenario(path: Path) -> str:
    plan = make_plan(path, [], seed=None, engine="virtual", command=None)
    lines = [plan.data["title"], ""]
    for box, described in plan.data["boxes"].items():
        profile = described["profile"]
        lines.append(f"{box}: {profile['name']} ({profile['summary']}), meter {profile['meter']['kind']}")
    lines.append("")
    rows = [
        (each["line"], each["name"], each["role"], f"{each['at_s']:.0f} s" if each["at_s"] else "")
        for each in plan.transfers
    ]
    return "\n".join(lines) + format_table(("line", "transfer", "role", "not before"), rows)


def inspection_lines(capture: Path, profile: str, *, seed: int, inside: list[str], as_json: bool) -> Iterator[str]:
    """What a censor would have done to a capture: a line for each event, and a count at the end.

    Raises:
        CaptureError: the capture cannot be read; the lines before are valid.
        ScenarioError: no such profile.
    """
    censor = load_profile(profile)
    packets = dropped = 0
    for row in inspect_capture(capture, censor.profile, seed=seed, inside=inside):
        packets += 1
        dropped += row.dropped
        for event in row.events:
            record = {"frame": row.number, **event_to_json(event)}
            if as_json:
                yield json.dumps(record)
            else:
                details = {key: value for key, value in record.items() if key not in {"frame", "t", "flow", "event"}}
                yield f"frame {row.number:6}  flow {event.flow:4}  {record['event']:20} {json.dumps(details)}"
    if not as_json:
        yield f"{packets} packets, {dropped} dropped"
