"""Suites: YAML files that say which conditions detectors are scored on.

A condition is a scenario, with draws of its own: each draw is a run with another seed. Conditions stand in one of two
parts. Those of ``development`` may be looked at while a detector is made, and have the seeds 1, 2, 3, …; those of
``held_out`` are for judging alone, and their seeds are derived from what is given at evaluation.
"""

from __future__ import annotations

import contextlib
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, StrictInt, ValidationError, model_validator

from testbed.errors import ScenarioError
from testbed.plain_text import choices
from testbed.quantities import nearest_possible, shown
from testbed.scenario import library
from testbed.scenario.access import Strict
from testbed.scenario.document import Document
from testbed.scenario.refusal import in_words, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PARTS", "Condition", "Frontier", "Part", "Suite", "find_suite", "load_suite", "suite_names"]

Part = Literal["development", "held_out"]
PARTS: tuple[Part, ...] = ("held_out", "development")
"""In the order in which scores are told: what nobody could tune to stands first."""

_FOLDER = Path(__file__).parent / "suites"
_MOST_DRAWS = 10_000
_MOST_STEPS = 12


_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def _condition_name(name: str) -> str:
    """It stands in the ids of cells, in seeds that are derived, and in tables."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"expected lower-case letters and digits, in words joined by hyphens, got {shown(name)}")
    return name


def _setting(key: str) -> str:
    if key == "seed":
        raise ValueError("each draw of a condition has a seed of its own; remove it, and say how many 'draws'")
    return key


Settings = dict[Annotated[str, AfterValidator(_setting)], str]


class Condition(Strict):
    """A scenario, what is set in it, and how often it is drawn."""

    scenario: str
    settings: Settings = Field(default={})
    draws: StrictInt = Field(ge=1, le=_MOST_DRAWS)
    twins: StrictInt = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _no_more_twins_than_draws(self) -> Self:
        if self.twins > self.draws:
            raise ValueError(f"{self.twins} twins of {self.draws} draws: each is the twin of a draw; give fewer")
        return self


class Frontier(Strict):
    """An axis on which something becomes harder to find, and the scenario that has it.

    Attributes:
        axis: The setting that moves along it.
        start, end: Its ends, in ``unit``; written ``from`` and ``to``.
        scale: How values between are spaced.
        steps: How often the interval is halved: the answer is known to its length over 2 to the power of this.
        draws: Runs at each value.
    """

    scenario: str
    settings: Settings = Field(default={})
    axis: Annotated[str, AfterValidator(_setting)]
    start: float = Field(alias="from", allow_inf_nan=False)
    end: float = Field(alias="to", allow_inf_nan=False)
    unit: str = ""
    scale: Literal["linear", "logarithmic"] = "linear"
    draws: StrictInt = Field(ge=1, le=_MOST_DRAWS)
    steps: StrictInt = Field(ge=1, le=_MOST_STEPS)

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.start == self.end:
            raise ValueError(f"from and to are both {self.start:g}; an axis has a length")
        if not math.isfinite(self.end - self.start):
            raise ValueError("the axis is too long for numbers of this machine; give ends that are closer")
        if self.scale == "logarithmic" and min(self.start, self.end) <= 0:
            raise ValueError("a logarithmic axis has values above 0 only; give others, or scale: linear")
        return self

    def value(self, share: float) -> float:
        """Return the value at a share of the way from its start to its end."""
        if self.scale == "logarithmic":
            return float(self.start * (self.end / self.start) ** share)
        return self.start + (self.end - self.start) * share

    def written(self, value: float) -> str:
        """Return a value as a setting has it; half way between two values may be none that can be set."""
        return f"{_plain(nearest_possible(Decimal(f'{value:.9g}'), self.unit))} {self.unit}".strip()


def _plain(value: Decimal) -> str:
    """Return a number without an exponent, which quantities have not."""
    digits = f"{value:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


ConditionName = Annotated[str, AfterValidator(_condition_name)]


class Suite(Strict):
    """All conditions, by part and by name."""

    format: Literal[1]
    title: str
    about: str
    development: dict[ConditionName, Condition] = Field(default={})
    held_out: dict[ConditionName, Condition] = Field(default={})
    frontiers: dict[ConditionName, Frontier] = Field(default={})
    detectors: tuple[str, ...] = ()

    def conditions(self) -> Iterator[tuple[Part, str, Condition]]:
        """Yield the conditions with their part and name, the held-out ones first."""
        for part in PARTS:
            for name, condition in getattr(self, part).items():
                yield part, name, condition


def suite_names() -> list[str]:
    """Return the packaged suites, by name."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def find_suite(name: str) -> Path:
    """Return the file that a user means: a path, or the name of a packaged suite.

    Raises:
        ScenarioError: There is none; lists what there is.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return path
    if name in suite_names():
        return _FOLDER / f"{name}.yaml"
    raise ScenarioError(f"no suite {shown(name)}; {choices(name, suite_names())}; or give the path of a file")


def load_suite(path: Path) -> Suite:
    """Read a suite.

    Raises:
        ScenarioError: File, line, key and what was expected.
    """
    document = Document.load(path)
    try:
        suite = Suite.model_validate(document.data)
    except ValidationError as error:
        problems = [(_key(each["loc"]), in_words(each, "docs/reference/validation.md")) for each in error.errors()]
        raise refusal(document, problems) from error
    twice = suite.development.keys() & suite.held_out.keys()
    if twice:
        name = min(twice)
        raise document.error(("development", name), "this condition is held out, too; it can stand in one part only")
    if not (suite.development or suite.held_out or suite.frontiers):
        raise document.error((), "the suite has no conditions; say some under 'development' or 'held_out'")
    for name in suite.frontiers.keys() & {condition for _, condition, _ in suite.conditions()}:
        raise document.error(("frontiers", name), "a condition has this name, too; cells are called by it")
    return suite.model_copy(
        update={name: _with_scenarios(document, path, name, getattr(suite, name)) for name in (*PARTS, "frontiers")}
    )


_Runs = TypeVar("_Runs", Condition, Frontier)


def _with_scenarios(document: Document, path: Path, part: str, entries: dict[str, _Runs]) -> dict[str, _Runs]:
    """Return the entries of a part with the scenarios that they mean."""
    found = {}
    for name, entry in entries.items():
        try:
            scenario = _scenario(entry.scenario, beside=path)
        except ScenarioError as error:
            raise document.error((part, name, "scenario"), str(error)) from error
        found[name] = entry.model_copy(update={"scenario": scenario})
    return found


def _key(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return pydantic's location without the word by which it says that the key, not its value, is wrong."""
    return location[:-1] if location[-1:] == ("[key]",) else location


def _scenario(name: str, *, beside: Path) -> str:
    """Return the path of a condition's scenario, if that stands beside the suite, or its name as it is.

    Raises:
        ScenarioError: There is none.
    """
    own = beside.parent / name
    with contextlib.suppress(OSError, ValueError):  # too long for a file, NUL in it, in a folder that is closed
        if own.suffix in {".yaml", ".yml"} and own.is_file():
            return str(own)
    library.find("scenarios", name)
    return name
