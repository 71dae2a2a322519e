"""A box follows the profile of the last change that has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.records.box_plan import profile_at, profiles_of

if TYPE_CHECKING:
    from testbed.records.box_plan import BoxPlan, ProfileDocument


def profile(name: str) -> ProfileDocument:
    return {"name": name, "summary": "", "rules": [], "trigger": {"share": 1.0}, "action": {"scope": "flow"}}


def test_changes_take_effect_at_their_instant_in_order() -> None:
    box: BoxPlan = {
        "line": "home", "seed": 1, "profile": profile("first"),
        "changes": [
            {"at_s": 10.0, "profile": None, "forgets": False},
            {"at_s": 20.0, "profile": profile("last"), "forgets": True},
        ],
    }  # fmt: skip
    found = {t: profile_at(box, t) for t in (0.0, 9.999, 10.0, 20.0, 1e6)}
    assert [each and each["name"] for each in found.values()] == ["first", "first", None, "last", "last"]
    assert [each["name"] for each in profiles_of(box)] == ["first", "last"]


def test_a_box_without_changes_keeps_its_profile() -> None:
    box: BoxPlan = {"line": "home", "seed": 1, "profile": None}
    assert profile_at(box, 5.0) is None
    assert profiles_of(box) == []
