"""Threads: as many workers as processors, each with cells of its own."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.validation.running.carriers import Threads, carry_all, processors
from tests.validation.running.test_worker import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


def command(*_: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM]


def test_every_cell_is_carried_whatever_becomes_of_the_others() -> None:
    cells = ["a", "dies", "b", "bad", "explains", "c"]
    found = dict(Threads(None, command).carry(cells, []))
    assert set(found) == set(cells)
    assert {cell for cell, problem in found.items() if problem is None} == {"a", "b", "c"}


def test_whoever_has_heard_enough_ends_what_goes_on() -> None:
    with contextlib.closing(Threads(1, command).carry(["a", "hangs", "b"], [])) as carried:
        assert next(carried) == ("a", None)


def test_more_guests_than_processors_are_refused() -> None:
    with pytest.raises(InputError, match=f"Give {processors()} at most"):
        Threads(processors() + 1, command)


class Carrying:
    """A carrier that fails at every second run, the last first."""

    def carry(self, runs: Sequence[str], arguments: Sequence[str]) -> Generator[tuple[str, str | None]]:
        assert arguments == ["validate", "x"]
        for number, each in enumerate(reversed(runs)):
            yield each, "no room" if number % 2 else None


def test_what_goes_wrong_is_told_by_run() -> None:
    said: list[str] = []
    runs = [f"policed/{number}" for number in range(1, 5)]
    failed = carry_all(runs, Carrying(), ["validate", "x"], progress=said.append)
    assert failed == {"policed/3": "no room", "policed/1": "no room"}
    assert said[-1].startswith("4 of 4 runs made, 2 failed")
