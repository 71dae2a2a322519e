"""Threads: as many workers as processors, each with cells of its own."""

from __future__ import annotations

import contextlib
import sys

import pytest

from testbed.errors import InputError
from testbed.validation.running.carriers import Threads, processors
from tests.validation.running.test_worker import PROGRAM


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
