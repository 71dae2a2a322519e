"""A grade as a table, as JSON, as JUnit (xunit2), and as Gradescope's ``results.json``.

Gradescope's format: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ("Output format").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.plain_text import one_line
from testbed.report.scores.junit import Case, Trouble, junit
from testbed.report.table import format_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.labs.grading import Graded

__all__ = ["as_gradescope", "as_json", "as_junit", "as_table", "total"]


def total(graded: Sequence[Graded]) -> tuple[float, int]:
    """Return the points earned, and all that there are."""
    # Shares of points do not add up exactly in binary.
    return round(sum(each.points for each in graded), 2), sum(each.most for each in graded)


def as_table(graded: Sequence[Graded]) -> str:
    """Return a table for people, and the sum."""
    rows = [(each.name, f"{each.points:g} of {each.most}", each.score, one_line(each.says)) for each in graded]
    points, most = total(graded)
    table = format_table(("question", "points", "score", "about your answer"), rows)
    return f"{table}\n\n{points:g} of {most} points"


def as_json(lab: str, student: str, graded: Sequence[Graded], notes: Sequence[str]) -> str:
    """Return one JSON object."""
    points, most = total(graded)
    return json.dumps({
        "lab": lab, "student": student, "points": points, "of": most, "notes": list(notes),
        "questions": [
            {
                "case": each.case or None, "question": each.question, "points": each.points, "of": each.most,
                "score": each.score, "says": each.says,
            }
            for each in graded
        ],
    })  # fmt: skip


def as_junit(lab: str, graded: Sequence[Graded]) -> str:
    """Return the text of a JUnit file: a case for each question, which fails unless it earned all points."""
    return junit(
        lab, [Case(lab, each.case or "lab", f"{each.question} ({each.most} points)", _trouble(each)) for each in graded]
    )


def _trouble(each: Graded) -> Trouble | None:
    if each.score == "right":
        return None
    return Trouble("failure", each.score, f"{each.points:g} of {each.most} points: {each.says}")


def as_gradescope(lab: str, graded: Sequence[Graded], notes: Sequence[str]) -> str:
    """Return Gradescope's ``results.json``."""
    points, most = total(graded)
    # Of each test no more than a student may see: all of it is shown at once.
    tests = [
        {
            "name": f"{each.name}: {one_line(each.ask)}", "number": str(number), "score": each.points,
            "max_score": each.most, "status": "passed" if each.score == "right" else "failed",
            "output": one_line(each.says), "output_format": "text", "visibility": "visible",
        }
        for number, each in enumerate(graded, 1)
    ]  # fmt: skip
    said = "\n".join([f"{lab}: {points:g} of {most} points", *map(one_line, notes)])
    # No score of the whole: Gradescope adds up those of the tests.
    return (
        json.dumps({"output": said, "output_format": "text", "visibility": "visible", "tests": tests}, indent=1) + "\n"
    )
