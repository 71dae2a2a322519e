"""A process that makes cells, and what becomes of those whose process dies, hangs or says something else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.validation.running.worker import Worker, answers, this_program

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import json, os, sys, time
for line in sys.stdin:
    cell = line.strip()
    if cell == "dies": os.kill(os.getpid(), 9)
    if cell == "explains": print("first", file=sys.stderr); sys.exit("no room")
    if cell == "hangs": time.sleep(600)
    if cell == "babbles": print("hello"); sys.stdout.flush(); continue
    if cell == "floods": sys.stdout.write("x" * (1 << 20)); sys.stdout.flush(); continue
    if cell == "number": print(7); sys.stdout.flush(); continue
    if cell == "other": cell = "another"
    print(json.dumps({"cell": cell, "problem": "bad" if cell == "bad" else None})); sys.stdout.flush()
"""


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker([sys.executable, "-c", PROGRAM], longest_s=20)
    yield made
    made.close()


def test_one_process_makes_many_cells(worker: Worker) -> None:
    assert [worker.make(cell) for cell in ("a", "bad", "b")] == [None, "bad", None]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("dies", "status -9"),
        ("explains", "no room"),
        ("babbles", "Expecting value"),
        ("floods", "too long"),
        ("number", "answered 7"),
        ("other", "when it was asked for other"),
    ],
)
def test_what_ends_a_process_costs_its_cell_alone(worker: Worker, cell: str, why: str) -> None:
    assert worker.make("a") is None
    assert why in (worker.make(cell) or "")
    assert worker.make("b") is None


def test_a_cell_that_takes_too_long_is_given_up() -> None:
    worker = Worker([sys.executable, "-c", PROGRAM], longest_s=0.2)
    assert "longer than 0.2 s" in (worker.make("hangs") or "")
    worker.close()


def test_a_program_that_is_not_there_is_told() -> None:
    assert "No such file" in (Worker(["/there/is/no/such/program"], longest_s=1).make("a") or "")


def test_the_other_side_answers_each_cell() -> None:
    made = []

    def make(cell: str) -> None:
        made.append(cell)
        if cell == "bad":
            raise InputError("no such cell")

    found = [json.loads(answer) for answer in answers(["a\n", "\n", "bad\n"], make)]
    assert found == [{"cell": "a", "problem": None}, {"cell": "bad", "problem": "no such cell"}]
    assert made == ["a", "bad"]


def test_the_program_is_this_one() -> None:
    assert this_program("validate")[:3] == [sys.executable, "-m", "testbed.cli"]
