"""Files checked without a run: scenarios, profiles of censors, topologies. Which of them a file is, its keys tell."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from testbed.errors import ScenarioError
from testbed.guest.network.build import topology_class
from testbed.middlebox.profile import Profile
from testbed.records.box_plan import profiles_of
from testbed.records.plan import planned_transfers
from testbed.scenario import library
from testbed.scenario.document import Document
from testbed.scenario.evidence import GRADES
from testbed.scenario.model import Scenario
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from testbed.records.box_plan import BoxPlan

__all__ = ["Checked", "check_file", "kind_of_document"]

Kind = Literal["scenario", "profile", "topology"]

_PROFILE_KEYS = frozenset({"based_on", "grade", "source"}) | Profile.__dataclass_fields__.keys()
_SCENARIO_KEYS = frozenset(Scenario.model_fields)


class Checked(NamedTuple):
    """What a file that is right is, and what is in it, in a few words."""

    kind: Kind
    name: str
    summary: str


def kind_of_document(document: Document) -> Kind:
    """Return whether a YAML document is a scenario or a profile.

    Raises:
        ScenarioError: It has keys of neither.
    """
    keys = set(document.data)
    of_scenario, of_profile = len(keys & _SCENARIO_KEYS), len(keys & _PROFILE_KEYS)
    if not of_scenario and not of_profile:
        raise ScenarioError(
            f"{document.place(())}: neither a scenario (format, title, network, …) nor a profile of a censor "
            "(based_on, trigger, rules, action, …): it has no key of either"
        )
    return "scenario" if of_scenario > of_profile else "profile"


def check_file(name: str, engine: str) -> Checked:
    """Check a file, or what is packaged under a name, as far as can be without a run.

    Args:
        name: A path, or the name of a packaged scenario, profile or topology.
        engine: Name of the one for which a scenario is resolved.

    Raises:
        ScenarioError: Everything that is wrong, each with file, line and key.
    """
    path, kind = _found(name)
    if kind == "topology":
        return _checked_topology(path)
    if kind == "profile":
        return _checked_profile(path)
    plan = make_plan(path, [], seed=None, engine=engine, command=None).data
    boxes = ", ".join(f"{place} {_profile_names(box)}" for place, box in plan["boxes"].items()) or "no boxes"
    transfers = sum(1 for _ in planned_transfers(plan))
    return Checked("scenario", path.stem, f"{transfers} transfers on {len(plan['rtt_s'])} lines; {boxes}")


def _profile_names(box: BoxPlan) -> str:
    first = [] if box["profile"] else ["a cable"]
    return ", then ".join([*first, *(each["name"] for each in profiles_of(box))])


def _found(name: str) -> tuple[Path, Kind]:
    """Return the file, and what it is."""
    path = Path(name)
    with contextlib.suppress(OSError):  # a name too long for a file, or in a folder that may not be entered
        if path.is_file():
            return path, "topology" if path.suffix == ".py" else kind_of_document(Document.load(path))
    kinds: dict[str, Kind] = {"scenarios": "scenario", "profiles": "profile", "topologies": "topology"}
    for folder, kind in kinds.items():
        if name in library.names(folder) or name in {each.split("/")[-1] for each in library.names(folder)}:
            return library.find(folder, name), kind
    raise ScenarioError(f"{name}: no such file, and no scenario, profile or topology of that name (testbed list)")


def _checked_profile(path: Path) -> Checked:
    loaded = load_profile(str(path))
    grades = Counter(each.grade for each in loaded.evidence)
    counts = ", ".join(f"{grades[grade]} {grade}" for grade in GRADES if grades[grade])
    return Checked("profile", loaded.profile.name, f"family {loaded.profile.family}; {counts}")


def _checked_topology(path: Path) -> Checked:
    cls = topology_class(str(path), path.stem)
    try:
        topology = cls()
    except ScenarioError as error:
        raise ScenarioError(f"{path}: with its own defaults: {error}") from error
    except Exception as error:  # the user's code: whatever it raises
        raise ScenarioError(f"{path}: with its own defaults: {type(error).__name__}: {error}") from error
    return Checked("topology", path.stem, f"{len(cls.parameters)} parameters, {len(topology.nodes())} nodes")
