"""A checker: a command with places for what is to be measured, how its answer is read, and its limits.

``run:PROGRAM ARGUMENTS`` is one whose verdict is a line of JSON. ``run:FILE.yaml`` describes one in a file, with what
the exit statuses or the words of a program mean that says nothing in JSON.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, ValidationError, model_validator

from testbed.errors import InputError
from testbed.quantities import parse_duration
from testbed.scenario.access import Strict
from testbed.scenario.document import Document
from testbed.scenario.refusal import in_words, refusal
from testbed.validation.checkers.answer import OutcomeName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PREFIX", "Checker", "Subject", "filled", "is_checker", "refuse_unusable"]

PREFIX: Final = "run:"
MOST_OUTPUT_BYTES: Final = 1 << 24
_PAGE: Final = "docs/how-to/score-a-checker.md"
_PLACE: Final = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}")
_PLACES: Final = ("target", "control", "target_url", "control_url", "bytes")
_DESCRIPTIONS: Final = (".yaml", ".yml")
_MOST_S: Final = 7 * 86_400.0


def is_checker(name: str) -> bool:
    """Return whether a detector's name is that of a checker."""
    return name.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a checker is to measure on a line.

    Attributes:
        target, control: Names; the control is None where the line has none.
        path: Of the largest object that both serve.
        size: Of it, bytes.
    """

    target: str
    control: str | None
    path: str
    size: int

    def values(self) -> dict[str, str]:
        """Return what stands for each place of a command; what is not known is left out."""
        names = {"target": self.target} | ({} if self.control is None else {"control": self.control})
        urls = {f"{role}_url": f"https://{name}{self.path}" for role, name in names.items()}
        return {**names, **urls, "bytes": str(self.size)}


def filled(words: Sequence[str], subject: Subject) -> list[str]:
    """Return a command in which every place is filled.

    Raises:
        InputError: It has a place that is not known, or one for a control that is not there.
    """
    values = subject.values()

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name is None:
            return found.group()[0]
        if name in _PLACES and name not in values:
            raise InputError(f"the line has no control for {found.group()}")
        if name not in values:
            raise InputError(_unknown(found.group()))
        return values[name]

    return [_PLACE.sub(value, word) for word in words]


def _unknown(place: str) -> str:
    known = ", ".join(f"{{{name}}}" for name in _PLACES)
    return f"no place {place} is known; there are {known}; write braces of its own twice"


def _command(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"expected a command quoted as for a shell, got {text!r}: {error}") from error
    if not words:
        raise ValueError("expected a program, got nothing")
    for found in _PLACE.finditer(text):
        if found.group(1) is not None and found.group(1) not in _PLACES:
            raise ValueError(_unknown(found.group()))
    return text


def _duration(value: object) -> float:
    seconds = parse_duration(value)
    if not 0 < seconds <= _MOST_S:
        raise ValueError(f"expected a duration above 0 and up to 7 d, got {value!r}")
    return seconds


Duration = Annotated[float, BeforeValidator(_duration)]


class _Description(Strict):
    """What a file may say of a checker."""

    format: Literal[1]
    command: Annotated[str, AfterValidator(_command)]
    statuses: dict[StrictInt, OutcomeName] = Field(default={})
    words: dict[OutcomeName, list[Annotated[str, Field(min_length=1)]]] = Field(default={})
    time: Duration = 600.0
    wall_time: Duration = 120.0

    @model_validator(mode="after")
    def _one_way_to_answer(self) -> _Description:
        if self.statuses and self.words:
            raise ValueError("'statuses' and 'words' both say what an answer means; keep one of them")
        return self


@dataclass(frozen=True, slots=True)
class Checker:
    """A program that measures by itself.

    Attributes:
        name: As it was given to ``--detector``.
        words_of_command: Program and arguments, with places.
        folder: Where it starts; a relative path of a program is looked for there.
        statuses, words: See `answer_of`.
        longest_s: Emulated seconds that it may take.
        longest_wall_s: Seconds of this machine that it may take, or be silent.
        most_bytes: What it may print.
    """

    name: str
    words_of_command: tuple[str, ...]
    folder: Path = field(default_factory=Path.cwd)
    statuses: Mapping[int, OutcomeName] = field(default_factory=dict)
    words: Mapping[OutcomeName, Sequence[str]] = field(default_factory=dict)
    longest_s: float = 600.0
    longest_wall_s: float = 120.0
    most_bytes: int = MOST_OUTPUT_BYTES

    @classmethod
    def of(cls, name: str) -> Checker:
        """Return the checker of a detector's name.

        Raises:
            InputError: The command or the description cannot be used, or the program is not there.
        """
        text = name.removeprefix(PREFIX)
        checker = cls._described(name, Path(text)) if text.endswith(_DESCRIPTIONS) else cls._of_command(name, text)
        program = checker.words_of_command[0]
        if checker.program is None:
            raise InputError(f"{name}: the program {program!r} was not found, or may not be executed")
        return checker

    @classmethod
    def _of_command(cls, name: str, text: str) -> Checker:
        try:
            return cls(name, tuple(shlex.split(_command(text))))
        except ValueError as error:
            raise InputError(f"{name}: {error}; write {PREFIX}'./my-checker {{target}} {{control}}'") from error

    @classmethod
    def _described(cls, name: str, path: Path) -> Checker:
        document = Document.load(path)
        try:
            found = _Description.model_validate(document.data)
        except ValidationError as error:
            problems = [(each["loc"], in_words(each, _PAGE)) for each in error.errors()]
            raise refusal(document, problems) from error
        # A description lies beside its program, and is used from any folder.
        first, *others = shlex.split(found.command)
        beside = path.absolute().parent / first
        if os.sep in first and beside.is_file():
            first = str(beside)
        return cls(
            name, (first, *others), statuses=found.statuses, words=found.words, longest_s=found.time,
            longest_wall_s=found.wall_time,
        )  # fmt: skip

    @property
    def program(self) -> Path | None:
        """The file that is run; None: there is none that may be."""
        first = self.words_of_command[0]
        found = shutil.which(str(self.folder / first) if os.sep in first else first)
        return None if found is None else Path(found)

    def command(self, subject: Subject) -> list[str]:
        """Return program and arguments for what is to be measured.

        Raises:
            InputError: The command has a place for a control, and the line has none.
        """
        return filled(self.words_of_command, subject)

    def digest(self) -> str:
        """Return what its answers depend on: command, program, files that the command names, and how it is read.

        What a program reads beside these (modules, settings) is not in it.
        """
        parts = [*self.words_of_command, repr(sorted(self.statuses.items())), repr(sorted(self.words.items()))]
        parts += [repr((self.longest_s, self.longest_wall_s, self.most_bytes))]
        files = [self.program, *(self.folder / word for word in self.words_of_command[1:])]
        parts += [
            hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path is not None and _is_file(path)
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_file(path: Path) -> bool:
    """Return whether a word of a command is a file; it may be anything, even longer than any path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def refuse_unusable(names: Sequence[str]) -> None:
    """Say now what is wrong with a checker, and not for each of hundreds of runs.

    Raises:
        InputError: As `Checker.of`.
    """
    for name in names:
        if is_checker(name):
            Checker.of(name)
