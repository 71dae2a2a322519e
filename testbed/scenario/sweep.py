"""A sweep: one scenario, and a run for each seed, each combination of values that was asked for, or each day."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from testbed.errors import ScenarioError
from testbed.records.plan import LAST_SEED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

__all__ = ["MOST_RUNS", "Variant", "by_day", "parse_seeds", "variants"]

MOST_RUNS = 10_000
_SPAN = re.compile(r"([0-9]{1,19})(?:-([0-9]{1,19}))?")
_UNFIT = re.compile(r"[^A-Za-z0-9.=+-]+")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Variant:
    """One run of a sweep.

    Attributes:
        name: Of its folder; no other variant of the sweep has it.
        seed: Of the run; None: the scenario's own.
        settings: ``key=value`` each.
        day: Of the calendar, which alone is run; None: all of it.
    """

    name: str
    seed: int | None
    settings: tuple[str, ...]
    day: date | None = None


def parse_seeds(text: str) -> list[int]:
    """Read seeds as people write them: ``7``, ``1-30``, ``1,5,9-12``.

    Raises:
        ValueError: What was expected.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        first, last = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
        if not 1 <= first <= last <= LAST_SEED:
            raise ValueError(f"expected whole numbers from 1 to 2**63 - 1, as in 7, 1-30 or 1,5,9-12, got {text!r}")
        if last - first >= MOST_RUNS:
            raise ValueError(f"expected at most {MOST_RUNS} seeds, got {text!r}")
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"a seed stands twice in {text!r}")
    return seeds


def variants(settings: list[str], seeds: list[int] | None) -> list[Variant]:
    """Return every combination of seeds and of values with a ``|`` between them; one variant where nothing varies.

    Args:
        settings: ``key=value`` or ``key=value|value|…`` each. Within brackets and quotes a ``|`` is a character.
        seeds: None: the scenario's own.

    Raises:
        ScenarioError: A value is empty or stands twice, or there are too many runs.
    """
    choices = [_choices(setting) for setting in settings]
    # Counted before anything is built: a slip such as 1-1000000 must not fill the memory first.
    own: list[int | None] = [None] if seeds is None else [*seeds]
    count = len(own)
    for choice in choices:
        count *= len(choice)
    if count > MOST_RUNS:
        raise ScenarioError(f"the sweep has {count} runs; at most {MOST_RUNS} are made at once")
    found = []
    for chosen in product(*choices):
        varied = [word for word, choice in zip(chosen, choices, strict=True) if len(choice) > 1]
        # Seeds innermost: runs that differ by chance alone lie beside each other in the table.
        for seed in own:
            words = [*varied, *([f"seed={seed}"] if len(own) > 1 else [])]
            found.append(Variant(_folder_name(words), seed, tuple(chosen)))
    return _told_apart(found)


def by_day(variant: Variant, days: Iterable[date], *, is_alone: bool) -> list[Variant]:
    """Return a variant's runs of one day each.

    Args:
        variant: To be taken apart.
        days: Of its calendar.
        is_alone: It is the sweep's only one: a run's name is its date.
    """
    before = "" if is_alone else f"{variant.name}_"
    return [replace(variant, name=f"{before}{day.isoformat()}", day=day) for day in days]


def _choices(setting: str) -> list[str]:
    """Return the settings that one with bars between its values stands for."""
    key, equals, text = setting.partition("=")
    values = [value.strip() for value in _split(text)]
    if not equals or len(values) == 1:
        return [setting]
    if not all(values):
        raise ScenarioError(f"--set {setting!r}: an empty value; expected values with | between them")
    if len(set(values)) < len(values):
        raise ScenarioError(f"--set {setting!r}: a value stands twice")
    return [f"{key}={value}" for value in values]


def _split(text: str) -> list[str]:
    """Split at bars outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{(":
            depth += 1
        elif character in ")}]":
            depth -= 1
        if character == "|" and not quote and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _folder_name(words: list[str]) -> str:
    return _UNFIT.sub("_", " ".join(words)).strip("_")[:_LONGEST_NAME] or "run"


def _told_apart(found: list[Variant]) -> list[Variant]:
    """Number variants whose names have become equal by what a folder's name cannot hold."""
    taken: set[str] = set()
    result = []
    for variant in found:
        name, number = variant.name, 1
        while name in taken:
            number += 1
            name = f"{variant.name}_{number}"
        taken.add(name)
        result.append(Variant(name, variant.seed, variant.settings))
    return result
