"""What `testbed show` and `testbed inspect` print."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from testbed.detectors.registry import detector_names, load_detector
from testbed.engine.engine import DEFAULT_ENGINE
from testbed.errors import CaptureError, ScenarioError
from testbed.guest.network.build import topology_class
from testbed.middlebox.adapters.pcap import CaptureInspection
from testbed.middlebox.events import event_to_json
from testbed.report.table import format_table
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import load_profile
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.middlebox.adapters.pcap import Row

__all__ = ["inspection_lines", "show"]

_LONGEST_DEFAULT = 48


def show(name: str, *, as_json: bool = False) -> str:
    """A profile with its evidence, a topology or an evasion with its parameters, a detector, or a resolved scenario.

    Raises:
        ScenarioError: nothing has that name, or it cannot be used.
    """
    if name in library.names("profiles"):
        found, text = _profile(name), _profile_text
    elif name in library.names("topologies"):
        found, text = _topology(name), _topology_text
    elif name in EVASIONS:
        found, text = _evasion(name), _evasion_text
    elif name in detector_names():
        found, text = _detector(name), _detector_text
    else:
        found, text = _scenario(name), _scenario_text
    return json.dumps(found) if as_json else text(found)


def _profile(name: str) -> dict[str, Any]:
    censor = load_profile(name)
    columns = ("key", "value", "grade", "source", "note")
    evidence = [{column: getattr(each, column) for column in columns} for each in censor.evidence]
    return {"name": name, "summary": censor.profile.summary, "evidence": evidence}


def _profile_text(found: dict[str, Any]) -> str:
    rows = [
        (
            each["key"],
            json.dumps(each["value"], ensure_ascii=False),
            each["grade"],
            "; ".join(filter(None, (each["source"], each["note"]))),
        )
        for each in found["evidence"]
    ]
    return f"{found['name']}: {found['summary']}\n\n" + format_table(("key", "value", "grade", "source"), rows)


def _topology(name: str) -> dict[str, Any]:
    found = topology_class(str(library.find("topologies", name)), name)
    parameters = [
        {"parameter": key, "default": each.default, "about": each.about} for key, each in found.parameters.items()
    ]
    return {"name": name, "parameters": parameters}


def _topology_text(found: dict[str, Any]) -> str:
    rows = [(each["parameter"], _clipped(json.dumps(each["default"])), each["about"]) for each in found["parameters"]]
    return format_table(("parameter", "default", "about"), rows)


def _evasion(name: str) -> dict[str, Any]:
    cls = EVASIONS[name]
    options = [{"option": each.name, "default": each.default, "about": each.metadata["about"]} for each in fields(cls)]
    return {"name": name, "summary": (cls.__doc__ or "").strip(), "options": options}


def _evasion_text(found: dict[str, Any]) -> str:
    rows = [(each["option"], json.dumps(each["default"]), each["about"]) for each in found["options"]]
    text = f"{found['name']}: {found['summary']}"
    return text + "\n\n" + format_table(("option", "default", "about"), rows) if rows else text


def _detector(name: str) -> dict[str, Any]:
    detector = load_detector(name)
    method = inspect.getdoc(inspect.getmodule(type(detector))) or ""
    return {"name": name, "summary": detector.summary, "method": method}


def _detector_text(found: dict[str, Any]) -> str:
    return f"{found['name']}: {found['summary']}\n\n{found['method']}"


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST_DEFAULT else f"{text[: _LONGEST_DEFAULT - 1]}…"


def _scenario(name: str) -> dict[str, Any]:
    try:
        path = library.find("scenarios", name)
    except ScenarioError as error:
        everything = [each for kind in ("scenarios", "topologies", "profiles") for each in library.names(kind)]
        everything += [*EVASIONS, *detector_names()]
        raise ScenarioError(f"nothing is called {name!r}; there are: {', '.join(everything)}") from error
    return {**make_plan(path, [], seed=None, engine=DEFAULT_ENGINE, command=None).data}


def _scenario_text(found: dict[str, Any]) -> str:
    lines = [found["title"], ""]
    for box, described in found["boxes"].items():
        profile = described["profile"]
        meter = f", meter {profile['meter']['kind']}" if "meter" in profile else ""
        lines.append(f"{box}: {profile['name']} ({profile['summary']}){meter}")
    rows = [
        (each["line"], each["name"], each["role"], f"{each['at_s']:.0f} s" if each["at_s"] else "")
        for phase in found["phases"]
        for line in phase["lines"]
        for each in line["transfers"]
    ]
    return "\n".join([*lines, "", format_table(("line", "transfer", "role", "not before"), rows)])


def inspection_lines(
    capture: Path, profile: str, *, seed: int, inside: list[str], as_json: bool, tell: Callable[[str], None]
) -> Iterator[str]:
    """What a censor would have done to a capture: a line for each event, and a count at the end.

    Args:
        capture: a capture file; see `CaptureInspection`.
        profile: name of a profile.
        seed: of what the box draws by lot.
        inside: prefixes of the subscriber's side.
        as_json: whether lines are JSON objects; the last one is the event "summary", at the last packet.
        tell: is told what was left out, or cannot be known, in sentences.

    Raises:
        CaptureError: the capture cannot be read; the lines before are valid.
        ScenarioError: no such profile.
    """
    censor = load_profile(profile)
    inspection = CaptureInspection(capture, censor.profile, seed=seed, inside=inside)
    packets = dropped = number = t_ns = 0
    try:
        for row in inspection:
            packets, number, t_ns = packets + 1, row.number, row.t_ns
            dropped += row.dropped
            yield from _event_lines(row, as_json=as_json)
    except CaptureError:
        for sentence in inspection.sentences():
            tell(sentence)
        raise
    notes = inspection.sentences()
    for sentence in notes:
        tell(sentence)
    if as_json:
        at_end = {"frame": number, "t": t_ns / 1e9, "event": "summary"}
        yield json.dumps({**at_end, "packets": packets, "dropped": dropped, "notes": notes})
    else:
        yield f"{packets} packets, {dropped} dropped"


def _event_lines(row: Row, *, as_json: bool) -> Iterator[str]:
    for event in row.events:
        record = {"frame": row.number, **event_to_json(event)}
        if as_json:
            yield json.dumps(record)
        else:
            details = {key: value for key, value in record.items() if key not in {"frame", "t", "flow", "event"}}
            yield f"frame {row.number:6}  flow {event.flow:4}  {record['event']:20} {json.dumps(details)}"
