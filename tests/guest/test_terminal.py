"""A pseudo-terminal of a program: what it prints is appended to a file, what is typed reaches it."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import tty
from typing import TYPE_CHECKING

import pytest

from testbed.guest.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal((30, 100), tmp_path / "shown")
    yield made
    os.close(made.fileno())


def test_it_has_the_size_of_the_users_terminal(terminal: Terminal) -> None:
    size = struct.unpack("=4H", fcntl.ioctl(terminal.inner, termios.TIOCGWINSZ, bytes(8)))
    assert size[:2] == (30, 100)


def test_what_is_printed_is_appended_as_it_is_shown(terminal: Terminal, tmp_path: Path) -> None:
    for text in (b"one", b"two"):
        os.write(terminal.inner, text)
        assert terminal.show()
    assert (tmp_path / "shown").read_bytes() == b"onetwo"
    assert not terminal.show()  # nothing more for now


def test_a_program_that_has_closed_its_side_shows_nothing_more(terminal: Terminal) -> None:
    os.close(terminal.inner)
    assert not terminal.show()


def test_what_is_typed_reaches_the_program(terminal: Terminal) -> None:
    terminal.type(b"answer\n")
    assert os.read(terminal.inner, 100) == b"answer\n"


def test_a_program_that_does_not_read_holds_nobody_up(terminal: Terminal) -> None:
    for _ in range(100):
        terminal.type(b"x" * 4096)


def test_a_program_that_prints_without_end_is_hung_up_on(tmp_path: Path) -> None:
    terminal = Terminal((30, 100), tmp_path / "shown", most_bytes=1000)

    def print_on() -> None:
        for _ in range(30):
            os.write(terminal.inner, b"x" * 100)
            terminal.show()

    with pytest.raises(OSError, match="Input/output error"):
        print_on()
    assert not terminal.show()
    terminal.type(b"nobody is there")
    terminal.resize(10, 10)
    terminal.close()
    os.close(terminal.inner)
    assert b"printed too much" in (tmp_path / "shown").read_bytes()


def test_a_window_may_get_another_size(terminal: Terminal) -> None:
    terminal.resize(12, 34)
    size = struct.unpack("=4H", fcntl.ioctl(terminal.inner, termios.TIOCGWINSZ, bytes(8)))
    assert size[:2] == (12, 34)


@pytest.mark.parametrize("is_raw", [False, True])
def test_what_no_program_has_read_is_still_there(terminal: Terminal, *, is_raw: bool) -> None:
    if is_raw:
        tty.setraw(terminal.inner)
    terminal.type(b"read\nnext line\nhalf")
    assert os.read(terminal.inner, 5) == b"read\n"
    os.close(terminal.inner)  # the program has ended
    assert terminal.unread() == b"next line\nhalf"
    assert terminal.taken == 19
    assert terminal.unread() == b""
