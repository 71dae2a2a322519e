"""What the file of a lab may say. Unknown keys are refused; what does not fit together is told with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from testbed.errors import ScenarioError
from testbed.quantities import shown
from testbed.scenario.access import Strict
from testbed.scenario.document import Document
from testbed.scenario.refusal import in_words, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["SHEETS", "Condition", "Lab", "LabFile", "Question", "Scalar", "lab_schema", "load_lab"]

SHEETS: Final = ("student.md", "teacher.md")
"""Beside ``lab.yaml`` in the folder of a lab."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HOLE = re.compile(r"\{([a-z0-9-]+)\}")
_MOST_CASES = 26  # they are called A to Z


def _plain_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"expected lower-case letters and digits, in words joined by hyphens, got {shown(name)}")
    return name


Name = Annotated[str, AfterValidator(_plain_name)]
Scalar = StrictStr | StrictInt | StrictFloat
Answer = Scalar | list[StrictStr]
Kind = Literal["choice", "number", "text", "names", "some of", "detector"]
Try = Literal["probe ttl", "probe domains", "probe timeout", "probe symmetry", "probe budget", "evade"]


class Question(Strict):
    """What is asked, of each case; a ``detector`` is asked for once.

    Attributes:
        points: For the right answer; of ``names`` and ``detector`` a part is given for a part.
        hint: Told with a wrong answer. It must not tell the right one.
        choices: Of a ``choice``; names that may stand in ``names`` and ``some of``.
        within: By which share of the true value a ``number`` may be off; 0: not at all.
        at_least: How many of ``some of``.
        tried: Whether each of ``some of`` has to be among the student's own tries.
        enough: Share of recordings, of either label, that earns a ``detector`` all points. Half of them earn none.
    """

    ask: str
    kind: Kind
    points: StrictInt = Field(ge=1, le=100)
    hint: str
    choices: tuple[StrictStr, ...] = ()
    within: float = Field(default=0.0, ge=0.0, le=0.9)
    unit: str = ""
    at_least: StrictInt = Field(default=1, ge=1, le=20)
    tried: StrictBool = False
    enough: float = Field(default=0.9, gt=0.5, le=1.0)

    @model_validator(mode="after")
    def _choices_where_there_is_a_choice(self) -> Self:
        if self.kind == "choice" and len(self.choices) < 2:  # noqa: PLR2004 - one is no choice
            raise ValueError("a choice needs choices, two at least")
        return self


class Condition(Strict):
    """What may be the matter.

    Attributes:
        about: For the teacher, and for whoever reads the lab.
        scenario: In place of the lab's own.
        set: Settings of the scenario, by dotted key; ``{name}`` stands for what is drawn.
        draw: Values, of which one is drawn for each variant.
        label: What the ground truth of its targets has to be; a recording that says otherwise is not used.
        answers: The right answer to each question.
    """

    about: str
    scenario: str | None = None
    set: dict[str, object] = Field(default={})
    draw: dict[Name, list[Scalar]] = Field(default={})
    label: Literal["throttled", "not throttled"] | None = None
    answers: dict[Name, Answer] = Field(default={})


class Lab(Strict):
    """One lab.

    Attributes:
        needs: ``recordings``: it can be done without a guest, from a pack; ``guest``: it cannot.
        cases: How many conditions a student gets; no two of them are one.
        practice: In place of cases: every condition once, with its answers, and further variants for the grade.
        variants: How many there are of each condition.
        tries: What students may try by themselves against a case.
    """

    format: Literal[1]
    title: str
    about: str
    minutes: StrictInt = Field(ge=1, le=240)
    needs: Literal["recordings", "guest"]
    tested_on: tuple[str, ...] = Field(min_length=1)
    scenario: str
    cases: StrictInt = Field(default=1, ge=1, le=_MOST_CASES)
    practice: StrictBool = False
    variants: StrictInt = Field(ge=1, le=1000)
    conditions: dict[Name, Condition] = Field(min_length=1)
    tries: tuple[Try, ...] = ()
    questions: dict[Name, Question] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class LabFile:
    """A lab, and where it is.

    Attributes:
        name: As students write it, such as ``1-slow-or-throttled`` or ``community/mine``.
    """

    name: str
    folder: Path
    lab: Lab

    def sheet(self, name: str) -> str:
        """Return one of `SHEETS`."""
        return (self.folder / name).read_text(encoding="utf-8")

    def given(self) -> dict[str, bytes]:
        """Return the files that a student gets beside the sheet, such as a program to begin with, by name."""
        place = self.folder / "given"
        return (
            {path.name: path.read_bytes() for path in sorted(place.iterdir()) if path.is_file()}
            if place.is_dir()
            else {}
        )

    @property
    def points(self) -> int:
        """All that can be earned."""
        return sum(each.points * len(self.cases_of(each)) for each in self.lab.questions.values())

    def cases_of(self, question: Question) -> list[str]:
        """Return the cases of which a question is asked; an empty name: of the lab as a whole."""
        if question.kind == "detector":
            return [""]
        return [chr(ord("A") + nth) for nth in range(self.lab.cases)]


def load_lab(folder: Path, name: str) -> LabFile:
    """Read a lab.

    Raises:
        ScenarioError: All that is wrong with it: file, line, key and what was expected.
    """
    document = Document.load(folder / "lab.yaml")
    try:
        lab = Lab.model_validate(document.data)
    except ValidationError as error:
        problems = [(each["loc"], in_words(each, "docs/labs/write-a-lab.md")) for each in error.errors()]
        raise refusal(document, problems) from error
    # Only now, for each of them asks about several keys, which have to be there.
    if problems := list(_problems(lab)):
        raise refusal(document, problems)
    for sheet in SHEETS:
        if not (folder / sheet).is_file():
            raise ScenarioError(
                f"{folder / sheet}: there is no such file; a lab has a sheet for students and for teachers"
            )
    return LabFile(name, folder, lab)


def lab_schema() -> dict[str, object]:
    """Return the JSON Schema of ``lab.yaml``."""
    return Lab.model_json_schema()


def _problems(lab: Lab) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what does not fit together, with its key."""
    if lab.cases > len(lab.conditions):
        yield ("cases",), f"{lab.cases} cases of {len(lab.conditions)} conditions: no two may be one; describe more"
    # What was practised on cannot be graded on.
    if lab.practice and lab.variants < 2:  # noqa: PLR2004 - one to practise on, one to be graded on
        yield ("variants",), "a lab with practice needs two at least: one is shown, the others are for the grade"
    for name, condition in lab.conditions.items():
        for key in _holes(condition) - condition.draw.keys():
            yield ("conditions", name), f"{{{key}}} is not drawn; name it below draw"
        for unknown in condition.answers.keys() - lab.questions.keys():
            yield ("conditions", name, "answers", unknown), "no such question"
        for asked, question in lab.questions.items():
            if question.kind != "detector":
                yield from _unfitting(("conditions", name, "answers", asked), question, condition.answers.get(asked))
            elif condition.label is None:
                yield ("conditions", name), "a detector is graded by the label; say which"


def _unfitting(
    key: tuple[str, ...], question: Question, answer: Answer | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    if answer is None:
        yield key, "this answer is missing"
    elif (question.kind in {"names", "some of"}) != isinstance(answer, list):
        yield key, f"expected {'a list' if question.kind in {'names', 'some of'} else 'one value'}, got {shown(answer)}"
    elif isinstance(answer, list):
        for each in answer:
            if question.choices and each not in question.choices and not _HOLE.search(each):
                yield key, f"{shown(each)} is none of the choices"
        if question.kind == "some of" and len(answer) < question.at_least:
            yield key, f"{question.at_least} are asked for, and {len(answer)} are right"
    elif question.kind == "choice" and answer not in question.choices and not _HOLE.search(str(answer)):
        yield key, f"{shown(answer)} is none of the choices"
    elif question.kind == "number" and isinstance(answer, str) and not _HOLE.fullmatch(answer):
        yield key, f"expected a number, got {shown(answer)}"


def _holes(condition: Condition) -> set[str]:
    # In settings and answers alike: a hole in either is a slip if nothing fills it.
    return {key for text in _texts([condition.set, condition.answers]) for key in _HOLE.findall(text)}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def filled(value: object, drawn: Mapping[str, Scalar]) -> object:
    """Return a value with what was drawn in its holes. A hole that is all of a text keeps its type."""
    if isinstance(value, str):
        whole = _HOLE.fullmatch(value)
        if whole is not None and whole.group(1) in drawn:
            return drawn[whole.group(1)]
        return _HOLE.sub(lambda hole: str(drawn.get(hole.group(1), hole.group())), value)
    if isinstance(value, dict):
        return {key: filled(each, drawn) for key, each in value.items()}
    return [filled(each, drawn) for each in value] if isinstance(value, list) else value
