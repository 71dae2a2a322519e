"""Censor profiles by name or by family and date, with file and line in every error.

A profile has no box on a line where its end has come, where its family has no profile for the date, or where it spares
lines of that kind: `why_no_box` says which.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from testbed.errors import ScenarioError
from testbed.plain_text import choices
from testbed.quantities import shown
from testbed.scenario import library
from testbed.scenario.censor import check_profile
from testbed.scenario.document import Document
from testbed.scenario.evidence import Statement, is_section, plain_values, statements, with_default_grade
from testbed.scenario.refusal import refusal

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.middlebox.profile import Profile
    from testbed.scenario.document import Key

__all__ = [
    "CensorProfile", "family_at", "load_family", "load_profile", "profile_for", "profile_within", "read_graded",
    "spares", "why_no_box",
]  # fmt: skip

_HOLDS = "a profile that is written in a scenario holds whatever its date; remove it, or write the profile to a file"
_FAMILY = re.compile(r"^family: (\S+)$", re.MULTILINE)  # how every packaged profile writes it


@dataclass(frozen=True, slots=True)
class CensorProfile:
    """A profile, and what each of its values rests on.

    Attributes:
        profile: The censor.
        evidence: Its values as they are written, each with its grade and source.
    """

    profile: Profile
    evidence: tuple[Statement, ...]

    @property
    def plain(self) -> dict[str, object]:
        """What the guest reads: plain JSON, every default written out."""
        return self.profile.to_dict()


def load_profile(name: str) -> CensorProfile:
    """Return a packaged profile by name, or one of the user's by path.

    A file that gives no name, or no family, has that of the file: it is another censor than the one it is based on.

    Raises:
        ScenarioError: No such profile, or one that cannot be used. It has all that is wrong, each with file, line and
            key.
    """
    document, problems = _load_graded(library.find("profiles", name), ())
    profile, evidence, problems = _checked(document, problems)
    if profile is None or problems:
        raise refusal(document, problems)
    return CensorProfile(profile, tuple(evidence))


def profile_within(scenario: Document, key: Key, folder: Path) -> CensorProfile:
    """Return a profile that is written in a scenario, where a name could stand.

    It is called as the scenario's file is, holds at any date, and is an assumption unless it says otherwise.

    Args:
        scenario: With the profile at ``key``.
        key: Where.
        folder: Of the scenario's file; a path in ``based_on`` counts from there.

    Raises:
        ScenarioError: All that is wrong with it, each with file, line and key.
    """
    written = _at(scenario, key)
    name = scenario.name.rsplit("/", 1)[-1].removesuffix(".yaml")
    summary = f"written in the scenario {name}, based on {written.get('based_on')}"
    always = {"grade": "assumption", "valid_from": None, "valid_until": None, "summary": summary}
    places = {each[len(key) :]: place for each, place in scenario.places.items() if each[: len(key)] == key}
    whole, problems = _completed(Document(scenario.name, {**always, **written}, places), name, folder, ())
    profile, evidence, problems = _checked(whole, problems)
    problems += [((name,), _HOLDS) for name in ("valid_from", "valid_until") if name in written]
    if profile is None or problems:
        # Each is told where it was written, by its key in the scenario.
        told = Document(scenario.name, {}, {(*key, *each): place for each, place in whole.places.items()})
        raise refusal(told, [((*key, *each), problem) for each, problem in problems])
    return CensorProfile(profile, tuple(evidence))


def _at(document: Document, key: Key) -> dict[str, object]:
    found: Any = document.data
    for step in key:
        found = found[step]
    return cast("dict[str, object]", found)


def _checked(
    document: Document, problems: list[tuple[Key, str]]
) -> tuple[Profile | None, list[Statement], list[tuple[Key, str]]]:
    """Return the profile of a complete document, its evidence, and what is wrong, beside what is known to be."""
    evidence, more = statements(document.data)
    problems = problems + more
    # A value without a grade is often a value of the wrong kind as well: two messages for one line help nobody.
    graded_wrong = {key for key, _ in problems}
    profile, more = check_profile(plain_values(document.data))
    # What is wrong with a value's evidence and with the value itself is told by the first alone.
    return profile, evidence, problems + [(key, problem) for key, problem in more if key not in graded_wrong]


def read_graded(name: str) -> Document:
    """A profile's values with their evidence, completed by what it is based on, unchecked but for the files themselves.

    Raises:
        ScenarioError: No such profile, or a file that cannot be read.
    """
    return _load_graded(library.find("profiles", name), ())[0]


def _load_graded(path: Path, below: tuple[Path, ...]) -> tuple[Document, list[tuple[Key, str]]]:
    """A file with its default grade filled in, merged with what it is based on, and what is wrong with these keys."""
    own = path.resolve()  # two names of one file, or a link, would hide a circle
    document = Document.load(path)
    if own in below:
        circle = ", ".join(str(each) for each in below[below.index(own) :])
        raise refusal(document, [(("based_on",), f"the profiles {circle} are based on each other in a circle")])
    return _completed(document, path.stem, path.parent, (*below, own))


def _completed(
    document: Document, stem: str, folder: Path, below: tuple[Path, ...]
) -> tuple[Document, list[tuple[Key, str]]]:
    """Return what is written, with its default grade, over what it is based on; and what is wrong with these keys."""
    data, problems = with_default_grade(document.data)
    base = data.get("based_on")
    document.data = _named(data, stem)
    if base is None:
        return document, problems
    if not isinstance(base, str):
        raise refusal(document, [(("based_on",), f"expected the name or path of a profile, got {shown(base)}")])
    try:
        found = library.find("profiles", _beside(folder, base))
    except ScenarioError as error:
        raise refusal(document, [(("based_on",), str(error))]) from error
    # Depth first, so that a mistake in the file that is at the bottom is told once, with its own line.
    basis, more = _basis(found, below)
    return _merged(basis, document), [*more, *problems]


def _basis(path: Path, below: tuple[Path, ...]) -> tuple[Document, list[tuple[Key, str]]]:
    """Read what profiles are based on. Packaged ones are read once: all members of a family have the same."""
    if path.parent != library.folder("profiles"):
        return _load_graded(path, below)
    document, problems = _packaged_basis(path)
    # Copied: whoever is based on it goes on with the same lists and mappings.
    return replace(document, data=copy.deepcopy(document.data)), [*problems]


@functools.cache
def _packaged_basis(path: Path) -> tuple[Document, list[tuple[Key, str]]]:
    return _load_graded(path, ())


def _named(data: dict[str, object], stem: str) -> dict[str, object]:
    """Return a file's data with a name and a family. Those of what it is based on are another censor's."""
    own = {key: value for key, value in data.items() if key != "based_on" and (key, value) != ("name", None)}
    name = own.get("name", stem)
    return {"name": name, "family": name if isinstance(name, str) else stem, **own}


def _merged(base: Document, changes: Document) -> Document:
    """Return a profile that is based on another: sections are merged; graded leaves and lists are replaced whole."""
    replaced: list[Key] = []
    data = _merge((), base.data, changes.data, replaced)
    kept = {key: place for key, place in base.places.items() if not any(key[: len(each)] == each for each in replaced)}
    return Document(changes.name, data, kept | changes.places)


def _merge(key: Key, base: dict[str, object], changes: dict[str, object], replaced: list[Key]) -> dict[str, object]:
    merged = dict(base)
    for name, value in changes.items():
        old = base.get(name)
        if isinstance(old, dict) and isinstance(value, dict) and is_section(old) and is_section(value):
            merged[name] = _merge((*key, name), old, value, replaced)
        else:
            # A leaf is replaced with its grade and source: a new value would lie about what it rests on.
            merged[name] = value
            replaced.append((*key, name))
    return merged


def _beside(folder: Path, base: str) -> str:
    """Read a profile's path from the folder of the file that is based on it."""
    beside = folder / base
    with contextlib.suppress(OSError):  # a name too long for a file, or in a folder that may not be entered
        return str(beside) if base.endswith(".yaml") and beside.is_file() else base
    return base


def load_family(name: str) -> list[CensorProfile]:
    """Return the packaged profiles of a family, in the order of their dates."""
    members = [_packaged(each) for each in library.names("profiles") if _written_family(each) == name]
    # By date, not by name: a family's letters follow its dates only by custom.
    return sorted(members, key=lambda member: member.profile.valid_from or "")


@functools.cache
def _written_family(name: str) -> str:
    """Return the family of a packaged profile as its file says it, without reading the rest: most are not asked for."""
    found = _FAMILY.search((library.folder("profiles") / f"{name}.yaml").read_text())
    return name if found is None else found[1]


@functools.cache
def _packaged(name: str) -> CensorProfile:
    """Return a packaged profile, read once a process: a sweep asks for all of them with each of its runs."""
    return load_profile(str(library.folder("profiles") / f"{name}.yaml"))


def family_at(members: list[CensorProfile], instant: datetime) -> CensorProfile | None:
    """Return the member of a family that is valid at an instant (with its time zone); None if none is."""
    for member in members:
        begin, end = member.profile.valid_from, member.profile.valid_until
        has_begun = begin is None or datetime.fromisoformat(begin) <= instant
        # From inclusive, until exclusive: at the instant of a change the new profile holds, and never both.
        has_ended = end is not None and datetime.fromisoformat(end) <= instant
        if has_begun and not has_ended:
            return member
    return None


def profile_for(name: str, instant: datetime, line_kind: str) -> CensorProfile | None:
    """Return the profile that a box on a line follows at an instant.

    Args:
        name: Of a profile, taken whatever the date but not after its end, or of a family, of which the date selects
            one.
        instant: When.
        line_kind: ``mobile`` or ``landline``.

    Returns:
        None where there is no box; `why_no_box` says why.

    Raises:
        ScenarioError: Neither a profile nor a family has that name.
    """
    chosen = _choose(name, instant, line_kind)
    return None if isinstance(chosen, str) else chosen


def why_no_box(name: str, instant: datetime, line_kind: str) -> str | None:
    """Return why a profile leaves a line without a box, in a sentence for the user; None if it does not.

    Args and errors are those of `profile_for`.
    """
    chosen = _choose(name, instant, line_kind)
    return chosen if isinstance(chosen, str) else None


def _choose(name: str, instant: datetime, line_kind: str) -> CensorProfile | str:
    """Return the profile, or why there is no box."""
    packaged = library.names("profiles")
    if name in packaged or name.endswith(".yaml"):
        chosen = load_profile(name)
        end = chosen.profile.valid_until
        if end is not None and datetime.fromisoformat(end) <= instant:
            return f"the profile {name} ended at {end}, before the scenario's date {instant.isoformat()}"
    else:
        members = load_family(name)
        if not members:
            raise ScenarioError(f"no censor profile or family {name!r}; {choices(name, packaged)}")
        found = family_at(members, instant)
        if found is None:
            spans = [f"{each.name} ({each.valid_from} to {each.valid_until})" for each in (m.profile for m in members)]
            there = ", ".join(spans)
            return f"no profile of family {name} is valid at {instant.isoformat()}; there are {there}"
        chosen = found
    return spares(chosen, line_kind) or chosen


def spares(censor: CensorProfile, line_kind: str) -> str | None:
    """Return why a profile has no box on lines of a kind, in a sentence for the user; None if it has one."""
    if getattr(censor.profile.placement.lines, line_kind, False):
        return None
    return f"the profile {censor.profile.name} spares {line_kind} lines (placement.lines)"
