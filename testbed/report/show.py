"""What `testbed show` prints of whatever has a name: a profile, a topology, an evasion, a detector or a scenario."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.detectors.registry import detector_names, load_detector
from testbed.engine.engine import DEFAULT_ENGINE
from testbed.errors import ScenarioError
from testbed.guest.network.build import topology_class
from testbed.records.plan import planned_transfers
from testbed.report.table import format_table
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import load_profile
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.records.plan import BoxPlan

__all__ = ["show"]

_LONGEST_DEFAULT: Final = 48


class _Shown(NamedTuple):
    """The same twice: as an object of JSON, and as a text for people, who are shown less."""

    found: Mapping[str, object]
    text: str


def show(name: str, *, as_json: bool = False) -> str:
    """Describe what has this name.

    Raises:
        ScenarioError: Nothing has that name, or it cannot be used.
    """
    if name in library.names("profiles"):
        shown = _profile(name)
    elif name in library.names("topologies"):
        shown = _topology(name)
    elif name in EVASIONS:
        shown = _evasion(name)
    elif name in detector_names():
        shown = _detector(name)
    else:
        shown = _scenario(name)
    return json.dumps(shown.found) if as_json else shown.text


def _profile(name: str) -> _Shown:
    censor = load_profile(name)
    summary = censor.profile.summary
    columns = ("key", "value", "grade", "source", "note")
    evidence = [{column: getattr(each, column) for column in columns} for each in censor.evidence]
    rows = [
        (
            each.key,
            json.dumps(each.value, ensure_ascii=False),
            each.grade,
            "; ".join(filter(None, (each.source, each.note))),
        )
        for each in censor.evidence
    ]
    return _Shown(
        {"name": name, "summary": summary, "evidence": evidence},
        f"{name}: {summary}\n\n" + format_table(("key", "value", "grade", "source"), rows),
    )


def _topology(name: str) -> _Shown:
    parameters = topology_class(str(library.find("topologies", name)), name).parameters
    described = [{"parameter": key, "default": each.default, "about": each.about} for key, each in parameters.items()]
    rows = [(key, _clipped(json.dumps(each.default)), each.about) for key, each in parameters.items()]
    return _Shown({"name": name, "parameters": described}, format_table(("parameter", "default", "about"), rows))


def _evasion(name: str) -> _Shown:
    cls = EVASIONS[name]
    summary = (cls.__doc__ or "").strip()
    options = [(each.name, each.default, str(each.metadata["about"])) for each in fields(cls)]
    rows = [(option, json.dumps(default), about) for option, default, about in options]
    table = "\n\n" + format_table(("option", "default", "about"), rows) if rows else ""
    described = [{"option": option, "default": default, "about": about} for option, default, about in options]
    return _Shown({"name": name, "summary": summary, "options": described}, f"{name}: {summary}{table}")


def _detector(name: str) -> _Shown:
    detector = load_detector(name)
    method = inspect.getdoc(inspect.getmodule(type(detector))) or ""
    return _Shown(
        {"name": name, "summary": detector.summary, "method": method}, f"{name}: {detector.summary}\n\n{method}"
    )


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST_DEFAULT else f"{text[: _LONGEST_DEFAULT - 1]}…"


def _scenario(name: str) -> _Shown:
    try:
        path = library.find("scenarios", name)
    except ScenarioError as error:
        everything = [each for kind in ("scenarios", "topologies", "profiles") for each in library.names(kind)]
        everything += [*EVASIONS, *detector_names()]
        raise ScenarioError(f"nothing is called {name!r}; there are: {', '.join(everything)}") from error
    plan = make_plan(path, [], seed=None, engine=DEFAULT_ENGINE, command=None).data
    rows = [
        (each["line"], each["name"], each["role"], f"{each['at_s']:.0f} s" if each["at_s"] else "")
        for each in planned_transfers(plan)
    ]
    boxes = [_box(name, described) for name, described in plan["boxes"].items()]
    table = format_table(("line", "transfer", "role", "not before"), rows)
    return _Shown(plan, "\n".join([plan["title"], "", *boxes, "", table]))


def _box(name: str, described: BoxPlan) -> str:
    profile = described["profile"]
    meter = f", meter {profile['meter']['kind']}" if "meter" in profile else ""
    return f"{name}: {profile['name']} ({profile['summary']}){meter}"
