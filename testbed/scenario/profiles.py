"""Censor profiles by name or by family and date, with file and line in every error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.errors import ScenarioError
from testbed.middlebox.profile import Profile, ProfileError
from testbed.middlebox.profile.evidence import Statement, merge, plain_values, select_by_date, statements
from testbed.scenario import library
from testbed.scenario.document import Document

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["CensorProfile", "load_profile", "profile_for"]


@dataclass(frozen=True, slots=True)
class CensorProfile:
    """A profile: its values for the box, and what each rests on."""

    plain: dict[str, Any]
    profile: Profile
    evidence: tuple[Statement, ...]


def load_profile(name: str) -> CensorProfile:
    """A packaged profile by name, or one of the user's by path.

    Raises:
        ScenarioError: no such profile, or one that cannot be used; file, line and key.
    """
    document, graded = _load_graded(name, ())
    try:
        evidence = tuple(statements(graded))
        plain = plain_values(graded)
        return CensorProfile(plain, Profile.from_dict(plain), evidence)
    except ProfileError as error:
        raise _located(error, document) from error


def _load_graded(name: str, below: tuple[str, ...]) -> tuple[Document, dict[str, Any]]:
    if name in below:
        raise ScenarioError(f"the profiles {', '.join(below)} are based on each other in a circle")
    document = Document.load(library.find("profiles", name))
    graded = document.data
    if "based_on" in graded:
        _, base = _load_graded(str(graded["based_on"]), (*below, name))
        graded = merge(base, {key: value for key, value in graded.items() if key != "based_on"})
    return document, graded


def _located(error: ProfileError, document: Document) -> ScenarioError:
    key = [int(step) if step.isdecimal() else step for step in error.key.split(".")] if error.key else []
    return ScenarioError(f"{document.place(key)}: {error.key}: {error.problem}")


def profile_for(name: str, instant: datetime, line_kind: str) -> CensorProfile | None:
    """The profile that a box on a line follows at an instant.

    Args:
        name: of a profile, taken whatever the date, or of a family, of which the date selects one.
        instant: when.
        line_kind: ``mobile`` or ``landline``.

    Returns:
        None where the family has no profile for the date, or the profile spares lines of this kind.

    Raises:
        ScenarioError: neither a profile nor a family has that name.
    """
    packaged = library.names("profiles")
    if name in packaged or name.endswith(".yaml"):
        chosen = load_profile(name)
    else:
        members = [profile for each in packaged if (profile := load_profile(each)).profile.family == name]
        if not members:
            raise ScenarioError(f"no censor profile or family {name!r}; there are: {', '.join(packaged)}")
        try:
            plain = select_by_date([member.plain for member in members], name, instant)
        except ProfileError:
            return None
        chosen = next(member for member in members if member.plain is plain)
    return chosen if chosen.profile.placement.lines.get(line_kind, 0) > 0 else None
