"""Censor profiles by name or by family and date, with file and line in every error.

A profile has no box on a line where its end has come, where its family has no profile for the date, or where it spares
lines of that kind: `why_no_box` says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from testbed.errors import ScenarioError
from testbed.middlebox.profile import Profile, ProfileError
from testbed.middlebox.profile.evidence import Statement, merge, plain_values, select_by_date, statements
from testbed.scenario import library
from testbed.scenario.document import Document

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CensorProfile", "load_profile", "profile_for", "why_no_box"]


@dataclass(frozen=True, slots=True)
class CensorProfile:
    """A profile: its values for the box, and what each rests on."""

    plain: dict[str, Any]
    profile: Profile
    evidence: tuple[Statement, ...]


def load_profile(name: str) -> CensorProfile:
    """A packaged profile by name, or one of the user's by path.

    A file that gives no name, or no family, has that of the file: it is another censor than the one it is based on.

    Raises:
        ScenarioError: No such profile, or one that cannot be used; file, line and key.
    """
    document, graded = _load_graded(name, ())
    try:
        evidence = tuple(statements(graded))
        plain = plain_values(graded)
        return CensorProfile(plain, Profile.from_dict(plain), evidence)
    except ProfileError as error:
        raise _located(error, document) from error


def _load_graded(name: str, below: tuple[str, ...]) -> tuple[Document, dict[str, Any]]:
    path = library.find("profiles", name)
    if str(path.resolve()) in below:
        raise ScenarioError(f"the profiles {', '.join(below)} are based on each other in a circle")
    document = Document.load(path)
    graded = {"name": path.stem, "family": document.data.get("name", path.stem), **document.data}
    if "based_on" in graded:
        _, base = _load_graded(_beside(path, str(graded["based_on"])), (*below, str(path.resolve())))
        graded = merge(base, {key: value for key, value in graded.items() if key != "based_on"})
    return document, graded


def _beside(path: Path, base: str) -> str:
    """A profile by path counts from the file that is based on it."""
    beside = path.parent / base
    return str(beside) if base.endswith(".yaml") and beside.is_file() else base


def _located(error: ProfileError, document: Document) -> ScenarioError:
    key = [int(step) if step.isdecimal() else step for step in error.key.split(".")] if error.key else []
    return ScenarioError(f"{document.place(key)}: {error.key}: {error.problem}")


def profile_for(name: str, instant: datetime, line_kind: str) -> CensorProfile | None:
    """The profile that a box on a line follows at an instant.

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
    """Why a profile leaves a line without a box, in a sentence for the user; None if it does not.

    Args and errors are those of `profile_for`.
    """
    chosen = _choose(name, instant, line_kind)
    return chosen if isinstance(chosen, str) else None


def _choose(name: str, instant: datetime, line_kind: str) -> CensorProfile | str:
    """The profile, or why there is no box."""
    packaged = library.names("profiles")
    if name in packaged or name.endswith(".yaml"):
        chosen = load_profile(name)
        end = chosen.profile.valid_until
        if end is not None and datetime.fromisoformat(end) <= instant:
            return f"the profile {name} ended at {end}, before the scenario's date {instant.isoformat()}"
    else:
        members = [profile for each in packaged if (profile := load_profile(each)).profile.family == name]
        if not members:
            raise ScenarioError(f"no censor profile or family {name!r}; there are: {', '.join(packaged)}")
        try:
            plain = select_by_date([member.plain for member in members], name, instant)
        except ProfileError as error:
            return error.problem
        chosen = next(member for member in members if member.plain is plain)
    if not chosen.profile.placement.lines.get(line_kind, False):
        return f"the profile {chosen.profile.name} spares {line_kind} lines (placement.lines)"
    return chosen
