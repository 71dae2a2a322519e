"""Handlers are called in the order in which they were added, whatever becomes readable first."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

from testbed.guest.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipes() -> Iterator[list[tuple[int, int]]]:
    made = [os.pipe() for _ in range(3)]
    yield made
    for pipe in made:
        for descriptor in pipe:
            os.close(descriptor)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_order_of_handling_is_that_of_adding(pipes: list[tuple[int, int]], order: tuple[int, ...]) -> None:
    watch, handled = Watch(), list[int]()
    for number, (read, _) in enumerate(pipes):
        watch.add(read, partial(handled.append, number))
    for number in order:
        os.write(pipes[number][1], b"x")
    assert watch.wait(None) == {read for read, _ in pipes}
    assert handled == [0, 1, 2]


def test_nothing_is_handled_when_nothing_comes(pipes: list[tuple[int, int]]) -> None:
    watch, handled = Watch(), list[str]()
    watch.add(pipes[0][0], lambda: handled.append("first"))
    assert watch.wait(0) == set()
    assert handled == []


def test_a_handler_may_remove_its_own_descriptor(pipes: list[tuple[int, int]]) -> None:
    watch, handled = Watch(), list[str]()
    read, write = pipes[0]

    def once() -> None:
        handled.append("once")
        watch.remove(read)

    watch.add(read, once)
    os.write(write, b"xx")
    watch.wait(None)
    assert watch.wait(0) == set()
    assert handled == ["once"]


def fail() -> None:
    raise ValueError("a client failed")


def test_what_a_handler_raises_reaches_the_caller(pipes: list[tuple[int, int]]) -> None:
    watch = Watch()
    watch.add(pipes[0][0], fail)
    os.write(pipes[0][1], b"x")
    with pytest.raises(ValueError, match="a client failed"):
        watch.wait(None)
