"""Answers beside the truth: points, and in a sentence what kind of mistake it is. The right answer is not in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from testbed.errors import InputError
from testbed.labs.lot import student_picks, truth_of
from testbed.quantities import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from testbed.labs.lab import LabFile, Question
    from testbed.labs.sheet import Sheet

__all__ = ["Graded", "Score", "grade"]

Score = Literal["right", "partly right", "wrong", "no answer"]
_MOST_NAMES: Final = 100
_FACTORS: Final = {8: "bits and bytes differ by 8", 1000: "look at the unit"}
_FACTOR_WITHIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Graded:
    """What an answer is worth.

    Attributes:
        case: Empty: of the lab as a whole.
        question: Its name.
        ask: What was asked.
        points, most: What it earned, of how much.
        score: In a word.
        says: For the student.
    """

    case: str
    question: str
    ask: str
    points: float
    most: int
    score: Score
    says: str

    @property
    def name(self) -> str:
        """As tables have it."""
        return f"{self.case} {self.question}".strip()


Worth = tuple[float, str]
"""The share of its points that an answer earns, and what is said of it."""


def grade(
    lab: LabFile,
    seed: int,
    sheet: Sheet,
    *,
    tried: Mapping[str, Collection[str]],
    contest: Callable[[str, Question], Worth],
    only: str | None = None,
) -> list[Graded]:
    """Grade a sheet.

    Args:
        lab: What was asked.
        seed: From which the student's conditions were drawn.
        sheet: The answers.
        tried: By case what the student tried.
        contest: Grades a detector, given its file.
        only: The one question to grade.

    Raises:
        InputError: There is no such question. `TestbedError`: A detector cannot be graded here.
    """
    if only is not None and only not in lab.lab.questions:
        raise InputError(f"--question {shown(only)}: no such question; there are: {', '.join(lab.lab.questions)}")
    # What is practised on has no questions of its own.
    truths = {} if lab.lab.practice else {each.case: truth_of(lab, each).answers for each in student_picks(lab, seed)}
    graded = []
    for name, question in lab.lab.questions.items():
        if only in {None, name}:
            for case in lab.cases_of(question):
                answer = sheet.answer(case, name)
                if answer is None or (answer in ("", []) and question.kind != "names"):
                    graded.append(Graded(case, name, question.ask, 0.0, question.points, "no answer", "no answer yet"))
                    continue
                if question.kind == "detector":
                    worth = contest(_file_name(answer), question)
                else:
                    worth = _worth(question, answer, truths[case][name], tried.get(case, ()))
                graded.append(_graded(case, name, question, worth))
    # Case by case, as the sheet has them.
    return sorted(graded, key=lambda each: each.case)


def _graded(case: str, name: str, question: Question, worth: Worth) -> Graded:
    share, says = worth
    score: Score = "right" if share >= 1 else "partly right" if share > 0 else "wrong"
    told = says or ("right" if share >= 1 else question.hint)
    if share < 1 and says:
        told = f"{says}; {question.hint}"
    return Graded(case, name, question.ask, round(share * question.points, 2), question.points, score, told)


def _file_name(answer: object) -> str:
    if not isinstance(answer, str):
        raise InputError(f"detector: expected the name of a file, got {shown(answer)}")
    return answer


def _worth(question: Question, answer: object, truth: object, tried: Collection[str]) -> Worth:
    if question.kind == "choice":
        return _choice(question, answer, truth)
    if question.kind == "number":
        return _number(question, answer, truth)
    if question.kind == "text":
        return (float(_word(answer) == _word(truth)), "")
    # Both kinds that are left are lists.
    names = _names(answer)
    if names is None:
        return 0.0, f"expected a list of at most {_MOST_NAMES} names, got {shown(answer)}"
    if unknown := sorted(names - {*map(_word, question.choices)}) if question.choices else []:
        return 0.0, f"{shown(unknown[0])} is none of those that were asked about"
    # An empty list may be right: nothing of what was asked about is so.
    right = {_word(each) for each in truth} if isinstance(truth, list) else set()
    return _all_of(names, right) if question.kind == "names" else _some_of(question, names, right, {*map(_word, tried)})


def _choice(question: Question, answer: object, truth: object) -> Worth:
    # YAML reads a bare yes or no as true or false.
    said = {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else answer
    if _word(said) not in {_word(each) for each in question.choices}:
        return 0.0, f"{shown(answer)} is none of the choices"
    return float(_word(said) == _word(truth)), ""


def _number(question: Question, answer: object, truth: object) -> Worth:
    given = answer
    if isinstance(given, str):
        try:
            given = float(given.strip().removesuffix(question.unit).strip())
        except ValueError:
            given = None
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        return 0.0, f"expected a number{f' in {question.unit}' if question.unit else ''}, got {shown(answer)}"
    # What was drawn may stand in the lab as text.
    wanted = float(str(truth))
    if abs(given - wanted) <= question.within * abs(wanted):
        return 1.0, ""
    # The commonest mistakes have a word of their own, which helps more than "wrong" does.
    for factor, why in _FACTORS.items():
        if any(abs(given - other) <= _FACTOR_WITHIN * abs(other) for other in (wanted * factor, wanted / factor)):
            return 0.0, why
    return 0.0, f"off by more than {question.within:.0%}" if question.within else ""


def _all_of(names: set[str], right: set[str]) -> Worth:
    wrong, missing = len(names - right), len(right - names)
    if not wrong and not missing:
        return 1.0, ""
    says = " and ".join(
        text
        for text, is_so in (("some names do not belong there", wrong), ("some names are missing", missing))
        if is_so
    )
    # One that does not belong there takes away what a right one earns: naming all of them earns nothing by itself.
    return (max(0.0, (len(names & right) - wrong) / len(right)) if right else 0.0), says


def _some_of(question: Question, names: set[str], right: set[str], tried: set[str]) -> Worth:
    if wrong := len(names - right):
        return 0.0, f"{wrong} of your {len(names)} do not do it"
    if question.tried and (guessed := names - tried):
        return 0.0, f"{len(guessed)} of your {len(names)} you have not tried; try them with: testbed lab try"
    return min(1.0, len(names) / question.at_least), f"{question.at_least} are asked for" if (
        len(names) < question.at_least
    ) else ""


def _names(answer: object) -> set[str] | None:
    listed = answer.split(",") if isinstance(answer, str) else answer
    if not isinstance(listed, list) or len(listed) > _MOST_NAMES or not all(isinstance(each, str) for each in listed):
        return None
    return {_word(each) for each in listed if each.strip()}


def _word(value: object) -> str:
    # Names are the same in either case and with a final dot, and nobody is to lose points by a capital.
    return str(value).strip().rstrip(".").casefold()
