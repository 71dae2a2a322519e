"""The answers of a student: YAML or JSON, by a safe reader and bounded. Keys that nobody asks for are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from testbed.errors import InputError
from testbed.plain_text import one_line
from testbed.quantities import shown
from testbed.scenario.document import Document

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.labs.lab import LabFile, Question

__all__ = ["Sheet", "blank_sheet", "read_sheet", "read_small"]

_NAMES: Final = ("answers.yaml", "answers.yml", "answers.json")
_MOST_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was answered, by case and question. A question of the lab as a whole has an empty case."""

    answers: dict[tuple[str, str], object]

    def answer(self, case: str, question: str) -> object:
        """Return an answer; None: there is none."""
        return self.answers.get((case, question))


def blank_sheet(lab: LabFile, student: str) -> str:
    """Return an answer sheet to be filled in, as YAML."""
    # In quotes as JSON has them, which YAML reads alike: a name may hold anything.
    lines = [
        f"# {lab.lab.title} Write each answer behind its colon; what is empty earns nothing.",
        f"lab: {lab.name}",
        f"student: {_quoted(student)}",
        "answers:",
    ]
    for case in dict.fromkeys(case for each in lab.lab.questions.values() for case in lab.cases_of(each)):
        asked = {name: each for name, each in lab.lab.questions.items() if case in lab.cases_of(each)}
        lines += [f"  {case}:"] if case else []
        for name, question in asked.items():
            lines.append(f"  {'  ' if case else ''}{name}:  # {_expected(question)}")
    return "\n".join(lines) + "\n"


def _expected(question: Question) -> str:
    if question.kind == "choice":
        return f"one of: {', '.join(question.choices)}"
    if question.kind == "number":
        return f"a number{f', in {question.unit}' if question.unit else ''}"
    if question.kind == "detector":
        return "the file of your detector, such as detector.py"
    if question.kind == "text":
        return "a word"
    return f"a list such as [one, two]{f', {question.at_least} at least' if question.kind == 'some of' else ''}"


def _quoted(text: str) -> str:
    plain = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def read_small(path: Path, most_bytes: int) -> bytes:
    """Read a regular file of bounded size.

    Raises:
        InputError: It is none, or larger.
    """
    # A link could lead anywhere on the machine of whoever grades.
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path}: no regular file; put the file itself there")
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > most_bytes:
        raise InputError(f"{path}: more than {most_bytes} bytes; at most so many are read")
    return data


def read_sheet(folder: Path, lab: LabFile, student: str) -> Sheet:
    """Read the answers in a student's folder.

    Args:
        folder: Of the student.
        lab: What was asked.
        student: Whose folder it is.

    Raises:
        InputError: There is no sheet, or there are two, or it is another student's or another lab's. `ScenarioError`:
            It is no YAML, or has a key that nobody asked for; file, line, key.
    """
    there = [folder / name for name in _NAMES if (folder / name).exists() or (folder / name).is_symlink()]
    if not there:
        raise InputError(f"{folder}: there is no {_NAMES[0]}; `testbed lab start` makes one to fill in")
    # Which of two is meant nobody can tell, and the student would see the wrong one graded.
    if len(there) > 1:
        raise InputError(f"{folder}: {' and '.join(each.name for each in there)} are both there; keep one")
    document = Document.parse(str(there[0]), read_small(there[0], _MOST_BYTES))
    data: dict[str, object] = document.data
    # A slip in a key would look like a question without an answer.
    for key in data.keys() - {"lab", "student", "answers"}:
        raise document.error((str(key),), "unknown key; a sheet has lab, student and answers")
    if data.get("lab", lab.name) != lab.name:
        raise document.error(("lab",), f"these are answers to {shown(data['lab'])}, and the folder is of {lab.name}")
    # Somebody else's sheet in one's own folder is a slip more often than a fraud; both are told.
    if "student" in data and str(data["student"] or "") != one_line(student):
        raise document.error(
            ("student",), f"this is the sheet of {shown(data['student'])}, and the folder of {shown(student)}"
        )
    return Sheet(_answers(document, lab, data.get("answers")))


def _answers(document: Document, lab: LabFile, given: object) -> dict[tuple[str, str], object]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise document.error(("answers",), f"expected a mapping, got {shown(given)}")
    cases = {case for each in lab.lab.questions.values() for case in lab.cases_of(each)}
    found: dict[tuple[str, str], object] = {}
    for key, value in given.items():
        if str(key) in cases - {""}:
            for question, answer in _questions(document, lab, str(key), value).items():
                found[str(key), question] = answer
        elif "" in cases and str(key) in lab.lab.questions:
            found["", str(key)] = value
        else:
            wanted = sorted((cases - {""}) | ({*lab.lab.questions} if "" in cases else set()))
            raise document.error(("answers", str(key)), f"nobody asked for this; expected {', '.join(wanted)}")
    return found


def _questions(document: Document, lab: LabFile, case: str, given: object) -> dict[str, object]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise document.error(("answers", case), f"expected a mapping of questions, got {shown(given)}")
    for key in given:
        if key not in lab.lab.questions:
            wanted = ", ".join(lab.lab.questions)
            raise document.error(("answers", case, str(key)), f"nobody asked for this; expected {wanted}")
    return {str(key): value for key, value in given.items()}
