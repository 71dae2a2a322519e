"""What works on a laptop, in one line, so that whoever prepares a class can collect the lines of all."""

from __future__ import annotations

import csv
import io
import json
import platform
import re
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING

from testbed.engine.host_machine import guest_problem
from testbed.errors import InputError
from testbed.labs.catalogue import find_lab, lab_names
from testbed.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Laptop", "append_line", "as_csv", "as_text", "this_laptop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Laptop:
    """One machine.

    Attributes:
        name: Its host name, or one that was given.
        guest: ``yes``, or what a guest lacks here.
        kernel: ``built``, ``not built``, or ``none`` where it could not run.
        labs: Those that work here as they are, by number.
        labs_with_pack: Those that work once there is a pack of recordings.
        todo: What to type next.
    """

    name: str
    system: str
    machine: str
    python: str
    guest: str
    kernel: str
    labs: str
    labs_with_pack: str
    todo: str


def this_laptop(name: str) -> Laptop:
    """Look at this machine.

    Args:
        name: What to call it; empty: by its host name.
    """
    problem = guest_problem()
    lacking, kernel = ([problem], "none") if problem else _checks()
    labs = [find_lab(each) for each in lab_names()]
    numbers = [each.name.split("-")[0] for each in labs if "/" not in each.name]
    recorded = [each.name.split("-")[0] for each in labs if "/" not in each.name and each.lab.needs == "recordings"]
    # Labs of others are not counted: a teacher asks for these six.
    works = not lacking
    return Laptop(
        name=one_line(name or platform.node())[:60],
        system=platform.system(), machine=platform.machine(), python=platform.python_version(),
        guest="yes" if works else "; ".join(lacking),
        kernel=kernel,
        labs=" ".join(numbers) if works else "",
        labs_with_pack=" ".join(numbers if works else recorded),
        todo=_todo(problem, lacking, kernel),
    )  # fmt: skip


def _checks() -> tuple[list[str], str]:
    """Return what a guest lacks here, and whether its kernel is built."""
    # What it looks at is of Linux alone, and cannot even be loaded elsewhere.
    checks = import_module("testbed.doctor").diagnose()
    # Told apart from the rest, for one command mends it, and it takes minutes.
    kernel = next(each for each in checks if each.name == "kernel")
    lacking = [
        f"{each.name}: {each.found}" for each in checks if each.required and not each.ok and each.name != "kernel"
    ]
    built = "built" if kernel.ok else "not built"
    return [*lacking, *([] if kernel.ok else ["the kernel is not built"])], built


def _todo(problem: str | None, lacking: Sequence[str], kernel: str) -> str:
    # One line to type, and the first that gets further.
    if problem:
        return "testbed lab start 1 --from labs.zip"
    if not lacking:
        return "testbed lab start 1"
    return "testbed kernel build" if kernel != "built" and len(lacking) == 1 else "testbed doctor"


def as_text(laptop: Laptop) -> str:
    """Return one line for people."""
    labs = f"labs {laptop.labs}" if laptop.labs else f"labs {laptop.labs_with_pack} from a pack"
    guest = "guest: yes" if laptop.guest == "yes" else f"no guest ({laptop.guest})"
    return one_line(
        f"{laptop.name}: {laptop.system} {laptop.machine}, Python {laptop.python}, {guest}, kernel: {laptop.kernel}, "
        f"{labs}; type: {laptop.todo}"
    )


def as_csv(laptop: Laptop, *, with_head: bool) -> str:
    """Return a row of a table, with or without the names of its columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [each.name for each in fields(Laptop)], lineterminator="\n")
    if with_head:
        writer.writeheader()
    # A spreadsheet takes what begins so for a formula, and the name was chosen by whoever has the machine.
    writer.writerow({key: re.sub(r"^(?=[=+@\t\r-])", "'", one_line(value)) for key, value in asdict(laptop).items()})
    return out.getvalue()


def append_line(path: Path, laptop: Laptop, form: str) -> None:
    """Add this machine's line to a file that other machines' lines are in, or will be.

    Args:
        path: The file.
        laptop: This machine.
        form: ``csv``, ``json`` (an object a line) or ``text``.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        # Many append to one file, on a stick or a share: only the first writes the names of columns.
        is_new = not path.exists() or path.stat().st_size == 0
        text = {
            "csv": lambda: as_csv(laptop, with_head=is_new),
            "json": lambda: json.dumps(asdict(laptop)) + "\n",
            "text": lambda: as_text(laptop) + "\n",
        }[form]()
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another file with -o") from error
