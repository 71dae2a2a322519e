"""What `corpus build` and `corpus verify` run: the half of the commands that needs what emulates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.cli.progress import say, show
from testbed.engine.engine import ENGINES
from testbed.errors import InputError
from testbed.validation.cells import ENGINE, cell_called, cells_of
from testbed.validation.corpus.building import index_of, members_of
from testbed.validation.corpus.part import make_part, part_key, world_of
from testbed.validation.corpus.rebuilt import differences, made_by_others, sample
from testbed.validation.defaults import default_held_out_seed, default_store
from testbed.validation.keeping.folders import find_folder
from testbed.validation.keeping.store import Store
from testbed.validation.running.carriers import Threads, carry_all
from testbed.validation.running.worker import answers, this_program
from testbed.validation.suite import find_suite, load_suite

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo
    from testbed.validation.cells import Cell
    from testbed.validation.corpus.archive import Archive
    from testbed.validation.corpus.contents import Index
    from testbed.validation.suite import Suite

__all__ = ["Task", "rebuild"]


@dataclass(frozen=True, slots=True)
class Task:
    """What `corpus build` is asked for."""

    arguments: argparse.Namespace
    path: Path
    suite: Suite
    held_out_seed: str
    kernel: KernelInfo
    store: Store

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Task:
        """Read what is asked for, before anything is made."""
        path = find_suite(arguments.suite)
        suite = load_suite(path)
        if arguments.cell is None and not arguments.output.parent.is_dir():
            raise InputError(f"-o {arguments.output}: there is no folder {arguments.output.parent}")
        return cls(
            arguments,
            path,
            suite,
            arguments.held_out_seed or default_held_out_seed(),
            ENGINES[ENGINE].prepare(say),
            Store((arguments.store or default_store()).resolve(), lambda text: say(f"testbed: {text}")),
        )

    @property
    def cells(self) -> list[Cell]:
        """The runs; twins are left out, for a detector is not asked about them alone."""
        return [cell for cell in cells_of(self.suite, self.held_out_seed) if not cell.twin]

    def answers(self, asked: Iterable[str]) -> Iterator[str]:
        """Make the parts that are asked for, as `Worker` wants it."""

        def make(name: str) -> None:
            cell = cell_called(self.suite, self.held_out_seed, name)
            make_part(cell, self.kernel, self.store, self.arguments.captures)

        return answers(asked, make)

    def make(self) -> dict[str, str]:
        """Have the parts made that are not there; return what went wrong, by the cell's id."""
        places = {cell.id: self._place(cell) for cell in self.cells}
        absent = [cell for cell in self.cells if places[cell.id] is None]
        say(f"testbed: {len(places)} runs in this suite, {len(places) - len(absent)} of them there already")
        if not absent:
            return {}
        # An output has to be named on any command line; a process that makes parts writes none.
        arguments = ["corpus", "build", str(self.path.resolve()), "--cell", "-", "--store", str(self.store.path)]
        arguments += ["--held-out-seed", self.held_out_seed, "--captures", self.arguments.captures, "-o", "-"]
        carrier = Threads(self.arguments.jobs, this_program)
        ids = [cell.id for cell in absent]
        failed = carry_all(ids, carrier, arguments, progress=lambda text: say(f"testbed: {text}"))
        # What is there counts, whatever was said of it.
        return {cell.id: failed.get(cell.id, "it was not made") for cell in absent if self._place(cell) is None}

    def _place(self, cell: Cell) -> Path | None:
        return find_folder(self.store, "parts", part_key(cell, self.kernel, self.arguments.captures))

    def contents(self, version: str) -> tuple[Index, dict[str, Path | bytes]]:
        """Return the index of the corpus, and its members by name."""
        index = index_of(
            self.cells, title=self.suite.title, suite=self.path.stem, held_out_seed=self.held_out_seed, version=version,
            captures=self.arguments.captures, world=world_of(self.kernel),
        )  # fmt: skip
        places = {cell.id: place for cell in self.cells if (place := self._place(cell)) is not None}
        return index, members_of(index, places)


def rebuild(archive: Archive, index: Index, count: int, named: str | None) -> int:
    """Make runs of a corpus again and print what differs; return the exit status.

    Args:
        archive: The corpus.
        index: Of it.
        count: How many runs.
        named: The id of one; None: they are drawn.
    """
    chosen = [each for each in index["cells"] if each["id"] == named] if named else sample(index, count, str(count))
    if not chosen:
        raise InputError(f"no cell {named!r} in this corpus; its README.md lists them")
    kernel = ENGINES[ENGINE].prepare(say)
    names = ", ".join(each["id"] for each in chosen)
    if others := made_by_others(index, kernel):
        show(f"runs made again: not checked, for other versions made the corpus ({'; '.join(others)})")
        return 3
    say(f"testbed: making {names} again")
    found = differences(archive, index, chosen, kernel)
    for each in found:
        show(each)
    show(f"runs made again: {len(found)} files differ ({names})" if found else f"runs made again: the same ({names})")
    return 1 if found else 0
