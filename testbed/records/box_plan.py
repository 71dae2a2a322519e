"""What a plan says of the boxes: which profile each follows at first, and from which instants on another."""

from __future__ import annotations

from typing import NotRequired, TypedDict

__all__ = [
    "ActionDocument",
    "BoxPlan",
    "MeterDocument",
    "ProfileChangePlan",
    "ProfileDocument",
    "RuleDocument",
    "TriggerDocument",
    "profile_at",
    "profiles_of",
]


class RuleDocument(TypedDict):
    """A rule of a profile; the pattern's kind has a key of its own."""

    id: str


class MeterDocument(TypedDict):
    """The meters of a profile, each under a key of its own; ``kind`` says which is used."""

    kind: str


class TriggerDocument(TypedDict):
    """What makes a box look at a flow; ``share``: on how many of all flows it acts."""

    share: float


class ActionDocument(TypedDict):
    """What a box does; ``scope``: to whom."""

    scope: str


class ProfileDocument(TypedDict):
    """A censor's profile as the box reads it (`testbed.middlebox.profile`): the keys that others look at."""

    name: str
    summary: str
    rules: list[RuleDocument]
    trigger: TriggerDocument
    action: ActionDocument
    meter: NotRequired[MeterDocument]


class ProfileChangePlan(TypedDict):
    """From an instant of the run on, a box follows another profile.

    Keys:
        profile: None: the box is a cable from then on.
        forgets: Flows that are acted on already are forgotten, too.
        why: Why it is a cable although a censor is named.
        away: Why no box acts at this place from then on, though one would.
    """

    at_s: float
    profile: ProfileDocument | None
    forgets: bool
    why: NotRequired[str]
    away: NotRequired[str]


class BoxPlan(TypedDict):
    """A box: the access line that it stands on, its profile, and its own seed.

    Keys:
        profile: None: the box is a cable at first.
        changes: Of the profile, in the order of time.
    """

    line: str
    profile: ProfileDocument | None
    seed: int
    changes: NotRequired[list[ProfileChangePlan]]


def profile_at(box: BoxPlan, t: float) -> ProfileDocument | None:
    """Return the profile that a box follows at an instant of the run; None: it is a cable then."""
    found = box["profile"]
    for change in box.get("changes", []):
        if change["at_s"] <= t:
            found = change["profile"]
    return found


def profiles_of(box: BoxPlan) -> list[ProfileDocument]:
    """Return every profile that a box follows in the course of the run, in the order of time."""
    found = [box["profile"], *(change["profile"] for change in box.get("changes", []))]
    return [each for each in found if each is not None]
