"""The reference page of profiles has every key that a profile may have, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.middlebox.actions import ACTIONS
from testbed.middlebox.described import file_key
from testbed.middlebox.meters import METERS
from testbed.middlebox.profile import FlowLimits, Inspection, Placement, Profile, Trigger
from testbed.middlebox.profile.conditions import Repeated, Taint
from testbed.middlebox.profile.model import LineKinds
from testbed.middlebox.profile.rules import RULE_KINDS
from testbed.scenario.evidence import GRADES

if TYPE_CHECKING:
    from testbed.middlebox.described import Described

PAGE = (Path(__file__).parents[2] / "docs/reference/profile.md").read_text()
SECTIONS: list[tuple[str, type[Described]]] = [
    ("placement.lines.", LineKinds), ("placement.", Placement), ("trigger.", Trigger), ("inspection.", Inspection),
    ("flows.", FlowLimits), ("rules.repeated.", Repeated), ("rules.taints.", Taint),
    *(("action.", ACTIONS[kind]) for kind in ACTIONS),
    *((f"meter.{kind}.", METERS[kind]) for kind in METERS),
]  # fmt: skip
NESTED = {"placement", "trigger", "inspection", "flows", "action", "meter"}


def keys() -> set[str]:
    found = {f"{prefix}{file_key(field.name)}" for prefix, cls in SECTIONS for field in fields(cls)}
    found |= {field.name for field in fields(Profile)} - NESTED | {"based_on", "grade", "source"}
    found |= {"rules.id", "action.kind", "meter.kind", "meter.counts", *(f"rules.{kind}" for kind in RULE_KINDS)}
    found |= {f"rules.{condition}" for condition in ("at", "not_at", "extensions")}
    return found - {"placement.lines"}


def test_the_page_has_every_key_and_no_other() -> None:
    rows = re.findall(r"^\| (`[a-z_.`, ]+`) \|(?! means)", PAGE, re.MULTILINE)
    listed = {key for row in rows for key in re.findall(r"`([a-z_.]+)`", row)}
    assert listed - set(GRADES) == keys()


def test_the_page_names_every_kind_and_grade() -> None:
    assert all(f"`{word}`" in PAGE for word in (*ACTIONS, *GRADES))
