"""What `testbed show` prints of whatever has a name: a profile, a topology, an evasion, a detector or a scenario."""

from __future__ import annotations

import contextlib
import inspect
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.detectors.registry import detector_names, load_detector
from testbed.engine.engine import DEFAULT_ENGINE
from testbed.errors import ScenarioError
from testbed.guest.network.build import topology_class
from testbed.plain_text import choices
from testbed.records.plan import planned_transfers
from testbed.report.conditions import conditions
from testbed.report.table import format_table
from testbed.scenario import library
from testbed.scenario.check import kind_of_document
from testbed.scenario.document import Document
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import family_at, load_family, load_profile
from testbed.traffic.evasion import EVASIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from testbed.records.box_plan import BoxPlan
    from testbed.scenario.profiles import CensorProfile

__all__ = ["show"]

_LONGEST_DEFAULT: Final = 48


class _Shown(NamedTuple):
    """The same twice: as an object of JSON, and as a text for people, who are shown less."""

    found: Mapping[str, object]
    text: str


def show(name: str, *, date: datetime | None = None, as_json: bool = False) -> str:
    """Describe what has this name.

    Args:
        name: Of anything that has one, or the path of a scenario or a profile.
        date: For a family of profiles: when; tells which of them is valid then.
        as_json: As an object of JSON, with all that there is.

    Raises:
        ScenarioError: Nothing has that name, or it cannot be used.
    """
    members = load_family(name) if date is not None or not _is_one_thing(name) else []
    if date is not None and not members:
        raise ScenarioError(f"--date: {name!r} is no family of profiles, of which a date selects one")
    if members:
        shown = _family(name, members, date)
    elif name in library.names("profiles") or _is_profile(name):
        shown = _profile(name)
    elif name in library.names("topologies"):
        shown = _topology(name)
    elif name in EVASIONS:
        shown = _evasion(name)
    elif name in detector_names():
        shown = _detector(name)
    else:  # last, for it alone has to resolve something, and tells all names if there is no such scenario
        shown = _scenario(name)
    return json.dumps(shown.found) if as_json else shown.text


def _is_one_thing(name: str) -> bool:
    """Return whether a name is that of a single thing; most families have one member, and its name."""
    kinds = ("profiles", "topologies", "scenarios")
    return any(name in library.names(kind) for kind in kinds) or name in EVASIONS or name.endswith(".yaml")


def _is_profile(name: str) -> bool:
    """Return whether a path is that of a profile."""
    path = Path(name)
    with contextlib.suppress(OSError):  # a name too long for a file, or in a folder that may not be entered
        return path.suffix == ".yaml" and path.is_file() and kind_of_document(Document.load(path)) == "profile"
    return False


def _family(name: str, members: list[CensorProfile], date: datetime | None) -> _Shown:
    profiles = [member.profile for member in members]
    described: dict[str, object] = {
        "name": name,
        "members": [
            {"name": each.name, "valid_from": each.valid_from, "valid_until": each.valid_until, "summary": each.summary}
            for each in profiles
        ],
    }
    rows = [(each.name, each.valid_from or "always", each.valid_until or "open", each.summary) for each in profiles]
    text = f"{name}: a family of profiles, of which the date selects one\n\n"
    text += format_table(("profile", "from", "until", "summary"), rows)
    if date is not None:
        selected = family_at(members, date)
        described |= {"date": date.isoformat(), "selected": None if selected is None else selected.profile.name}
        text += f"\n\nat {date.isoformat()}: {described['selected'] or 'none of them'}"
    return _Shown(described, text)


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
    name = censor.profile.name
    return _Shown(
        {"name": name, "summary": summary, "evidence": evidence},
        f"{name}: {summary}\n\n" + format_table(("key", "value", "grade", "source"), rows),
    )


def _topology(name: str) -> _Shown:
    found = topology_class(str(library.find("topologies", name)), name)
    parameters = found.parameters
    described = [{"parameter": key, "default": each.default, "about": each.about} for key, each in parameters.items()]
    rows = [(key, _clipped(json.dumps(each.default)), each.about) for key, each in parameters.items()]
    # With its defaults: another number of lines or hops has more links, called alike.
    links = found().links_in_words()
    text = f"{format_table(('parameter', 'default', 'about'), rows)}\n\nlinks, as it is by default: {links}"
    return _Shown({"name": name, "parameters": described, "links": links}, text)


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
    # What a method is, and where it was published, stands once: in the docstring of its file.
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
        raise ScenarioError(f"nothing is called {name!r}; {choices(name, everything)}") from error
    plan = make_plan(path, [], seed=None, engine=DEFAULT_ENGINE, command=None).data
    rows = [
        (each["line"], each["name"], each["role"], f"{each['at_s']:.0f} s" if each["at_s"] else "")
        for each in planned_transfers(plan)
    ]
    boxes = [_box(name, described) for name, described in plan["boxes"].items()]
    table = format_table(("line", "transfer", "role", "not before"), rows)
    return _Shown(plan, "\n".join([plan["title"], "", *boxes, *conditions(plan), "", table]))


def _box(name: str, described: BoxPlan) -> str:
    profile = described["profile"]
    changes = [
        f"\n  from {change['at_s']:g} s on: {(change['profile'] or {'name': 'a cable'})['name']}"
        for change in described.get("changes", [])
    ]
    if profile is None:
        return f"{name}: a cable at first{''.join(changes)}"
    meter = f", meter {profile['meter']['kind']}" if "meter" in profile else ""
    return f"{name}: {profile['name']} ({profile['summary']}){meter}{''.join(changes)}"
