"""A processor for a guest: each guest has another, and whoever dies gives it back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.engine.uml import processor
from testbed.engine.uml.processor import own_processor

HOLDER = """
import os, sys
os.sched_getaffinity = lambda _: {5, 2, 7}
from testbed.engine.uml.processor import own_processor
with own_processor() as number:
    print(number, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of three processors, and locks of this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 2, 7})


def test_each_guest_has_another_until_there_are_no_more() -> None:
    with own_processor() as one, own_processor() as two, own_processor() as three, own_processor() as four:
        assert (one, two, three, four) == (2, 5, 7, None)
    with own_processor() as again:
        assert again == 2


def test_one_that_is_given_back_is_taken_again() -> None:
    with own_processor():
        with own_processor() as five:
            assert five == 5
        with own_processor() as again:
            assert again == 5


def test_a_process_that_is_killed_gives_its_processor_back(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "2\n"
        with own_processor() as number:
            assert number == 5
        holder.send_signal(signal.SIGKILL)
    with own_processor() as number:
        assert number == 2


def test_a_machine_of_one_processor_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with own_processor() as number:
        assert number is None


def test_where_nothing_can_be_locked_the_scheduler_does_as_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "throttling-testbed").write_text("a file where a folder is expected")
    with own_processor() as number:
        assert number is None
    monkeypatch.setattr(processor, "user_cache", lambda: Path("/proc/no/such/folder"))
    with own_processor() as number:
        assert number is None
