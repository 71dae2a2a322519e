"""Lines of a pipe come as they were written, in whatever pieces; those of a prompt when it is asked."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.shell.readers import Lines, Prompt, typed_lines
from tests.shell.network import NETWORK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def lines_of(pieces: list[bytes]) -> list[str]:
    read, write = os.pipe()
    lines, found = Lines(read), []
    for piece in [*pieces, b""]:
        os.write(write, piece)
        if not piece:
            os.close(write)
        while lines.sources() and select.select(lines.sources(), [], [], 0)[0]:
            lines.read(lines.sources())
        while (line := lines.pop()) is not None:
            found.append(line)
    os.close(read)
    assert lines.is_over
    return found


def test_lines_may_be_cut_anywhere() -> None:
    text = "client écho\n\nbox log\nlast".encode()
    whole = ["client écho", "", "box log", "last"]
    assert all(lines_of([text[:at], text[at:]]) == whole for at in range(1, len(text)))


@given(st.binary(max_size=200))
def test_any_bytes_are_lines(data: bytes) -> None:
    expected = data.split(b"\n")
    found = lines_of([data] if data else [])
    assert [line.encode("utf-8", "surrogateescape") for line in found] == (expected if expected[-1] else expected[:-1])


def test_a_line_without_an_end_is_taken_as_it_is_and_nothing_after_it(tmp_path: Path) -> None:
    path = tmp_path / "endless"
    path.write_bytes(b"x" * (3 << 20) + b"\nnext\n")
    descriptor = os.open(path, os.O_RDONLY)
    lines = Lines(descriptor)
    while not lines.is_over:
        lines.read([descriptor])
    os.close(descriptor)
    line = lines.pop()
    assert line is not None
    assert len(line) < 2 << 20
    assert lines.pop() is None


def prompted(ask: Callable[[str], str]) -> list[str]:
    """Return what a prompt gives before it is over; it is asked for a line each time."""
    prompt, found = Prompt("> ", NETWORK, ask=ask), []
    while not prompt.is_over:
        line = prompt.pop()
        if line is None:
            prompt.read(select.select(prompt.sources(), [], [], 60)[0])
        else:
            found.append(line)
    prompt.close()
    return found


def test_a_prompt_gives_lines_until_there_are_no_more() -> None:
    answers = iter(["client ping origin", "pasted\nlines", ""])

    def ask(_: str) -> str:
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    assert prompted(ask) == ["client ping origin", "pasted", "lines", ""]


def test_an_interrupt_at_a_prompt_throws_the_line_away_and_nothing_else() -> None:
    answers: list[str | type[BaseException]] = [KeyboardInterrupt, "again", EOFError]

    def ask(_: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, str):
            return answer
        raise answer

    assert prompted(ask) == ["again"]


def test_a_prompt_that_is_closed_in_the_middle_of_a_line_leaves_no_process() -> None:
    def ask(_: str) -> str:
        while True:
            select.select([], [], [])

    prompt = Prompt("> ", NETWORK, ask=ask)
    assert prompt.pop() is None
    prompt.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(prompt._pid, 0)


@pytest.mark.parametrize(
    ("keys", "lines", "begun", "is_over"),
    [
        (b"nodes\rlin", ["nodes"], "lin", False),
        (b"nodez\x7fs\n\x04", ["nodes"], "", True),
        (b"a\0", [], "a", False),  # a Ctrl-D in the middle of a line ends nothing
        (b"\0rest", [], "", True),
        (b"thrown away\x03kept", [], "kept", False),
        (b"\x1b[A\x1bOBup\r", ["up"], "", False),
        (b"", [], "", False),
    ],
)
def test_keys_that_were_typed_ahead_are_lines(keys: bytes, lines: list[str], begun: str, *, is_over: bool) -> None:
    assert typed_lines(keys) == (lines, begun, is_over)


@given(st.binary())
def test_any_keys_are_lines_that_can_be_shown(keys: bytes) -> None:
    lines, begun, _ = typed_lines(keys)
    assert all(line.isprintable() for line in [*lines, begun])


def test_lines_that_were_typed_ahead_come_before_any_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    prompt = Prompt("> ", NETWORK, ask=lambda _: "asked")
    prompt.type_ahead(b"one\rtwo\r")
    assert (prompt.pop(), prompt.pop()) == ("one", "two")
    assert capfd.readouterr().out == "> one\n> two\n"
    assert prompt.pop() is None
    prompt.read(select.select(prompt.sources(), [], [], 60)[0])
    assert prompt.pop() == "asked"
    prompt.close()
