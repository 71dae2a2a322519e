"""Which conditions a student gets, and what is true of them: worked out from a lab and a seed, and never kept.

A student's folder holds no truth; whoever checks it draws the same lot again. Everything here is public, so a student
who has the testbed and knows the seed can do so, too. Where that matters a teacher begins the labs with a key: then the
seed is not in the folder, and comes of the key.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.labs.lab import filled

if TYPE_CHECKING:
    from testbed.labs.lab import LabFile

__all__ = ["Pick", "Truth", "all_picks", "hidden_picks", "seed_of", "student_picks", "truth_of"]

_SEEDS = 1 << 31


@dataclass(frozen=True, slots=True)
class Pick:
    """A variant of a condition, and the case as which a student gets it."""

    case: str
    condition: str
    variant: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a variant.

    Attributes:
        seed: Of its run.
        settings: Of its scenario, as ``--set`` takes them.
        answers: By question.
    """

    seed: int
    settings: tuple[str, ...]
    answers: dict[str, object]


def seed_of(lab: str, student: str, key: str) -> int:
    """Return the seed of a student in a lab; another lab, name or key gives another."""
    return 1 + _number("student", lab, student, key) % _SEEDS


def student_picks(lab: LabFile, seed: int) -> list[Pick]:
    """Return what a student is given, case by case."""
    lot = random.Random(_number("lot", lab.name, str(seed)))  # noqa: S311 - drawn again when it is checked
    # Sorted, so that the order in a file, which means nothing, changes no lot.
    names = sorted(lab.lab.conditions)
    count = len(names) if lab.lab.practice else lab.lab.cases
    return [
        Pick(chr(ord("A") + nth), name, lot.randint(1, lab.lab.variants))
        for nth, name in enumerate(lot.sample(names, count))
    ]


def hidden_picks(lab: LabFile, seed: int) -> list[Pick]:
    """Return what a student's detector is graded on: all variants that the student has not been given."""
    given = {(each.condition, each.variant) for each in student_picks(lab, seed)}
    return [each for each in all_picks(lab) if (each.condition, each.variant) not in given]


def all_picks(lab: LabFile) -> list[Pick]:
    """Return every variant of every condition; they are no cases."""
    return [
        Pick("", name, variant) for name in sorted(lab.lab.conditions) for variant in range(1, lab.lab.variants + 1)
    ]


def truth_of(lab: LabFile, pick: Pick) -> Truth:
    """Return how a variant is run, and what the right answers are."""
    condition = lab.lab.conditions[pick.condition]
    # Of the variant alone, not of the student: what a pack holds is what any student may be given.
    number = _number("variant", lab.name, pick.condition, str(pick.variant))
    lot = random.Random(number)  # noqa: S311 - as above
    drawn = {key: lot.choice(values) for key, values in condition.draw.items()}
    changes = {key: filled(value, drawn) for key, value in condition.set.items()}
    settings = tuple(
        f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in changes.items()
    )
    answers = {key: filled(value, drawn) for key, value in condition.answers.items()}
    return Truth(1 + number % _SEEDS, settings, answers)


def _number(*words: str) -> int:
    # Joined by what no word has: ("ab", "c") must not give the lot of ("a", "bc").
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "big")
