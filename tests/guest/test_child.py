"""Children that are ready, report and end when they are asked to, and tasks that end by themselves."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from testbed.errors import GuestError
from testbed.guest.child import Child, Lifetime, fork

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 20.0


def until_the_end(lifetime: Lifetime) -> dict[str, int]:
    lifetime.ready()
    select.select([lifetime], [], [], PATIENCE_S)
    return {"pid": os.getpid()}


def long_report(lifetime: Lifetime) -> str:
    until_the_end(lifetime)
    return "x" * 300_000  # more than a pipe holds


def never_ready(_: Lifetime) -> NoReturn:
    raise OSError("no such ring")


def fails_at_its_end(lifetime: Lifetime) -> NoReturn:
    until_the_end(lifetime)
    raise ValueError("no report")


def ends_early(lifetime: Lifetime) -> None:
    lifetime.ready()


def is_killed(lifetime: Lifetime) -> None:
    lifetime.ready()
    os.kill(os.getpid(), signal.SIGKILL)


def ended(child: Child[object]) -> None:
    assert select.select([child], [], [], PATIENCE_S)[0]


def test_a_child_reports_when_it_is_asked_to_end() -> None:
    report = Child("the worker", until_the_end).stop()
    assert report["pid"] != os.getpid()


def test_a_report_may_be_longer_than_a_pipe_is() -> None:
    assert len(Child("the worker", long_report).stop()) == 300_000


def test_what_a_child_lacks_before_it_is_ready_is_told() -> None:
    with pytest.raises(GuestError, match=r"^the worker ended before the run did: OSError: no such ring$"):
        Child("the worker", never_ready)


def test_a_failure_at_the_end_is_told_as_one() -> None:
    child = Child("the worker", fails_at_its_end)
    with pytest.raises(GuestError, match=r"^the worker failed at its end: ValueError: no report$"):
        child.stop()


@pytest.mark.parametrize(
    ("body", "how"), [(ends_early, "exit status 0"), (is_killed, r"signal 9 \(SIGKILL\)")]
)  # fmt: skip
def test_a_child_that_ends_early_is_seen_and_told(body: Callable[[Lifetime], None], how: str) -> None:
    child: Child[object] = Child("the worker", body)
    ended(child)
    with pytest.raises(GuestError, match=f"^the worker ended before the run did: {how}$"):
        child.stop()


@pytest.mark.parametrize(
    ("body", "status"),
    [(lambda: 0, 0), (lambda: 7, 7), (lambda: sys.exit(5), 5), (lambda: sys.exit("why"), 0), (lambda: int("x"), 1)],
)  # fmt: skip
def test_a_forked_function_ends_with_its_status(body: Callable[[], int], status: int) -> None:
    _, found = os.waitpid(fork(body), 0)
    assert os.waitstatus_to_exitcode(found) == status


def test_nothing_of_the_parent_runs_again_in_the_child() -> None:
    read, write = os.pipe()
    try:
        os.waitpid(fork(lambda: int("x")), 0)
    finally:
        os.write(write, b"cleaned up\n")
    assert os.read(read, 100) == b"cleaned up\n"
    os.close(read)
    os.close(write)


def test_an_exception_is_told_where_somebody_listens() -> None:
    read, write = os.pipe()

    def tell(error: BaseException) -> None:
        os.write(write, str(error).encode())

    os.waitpid(fork(lambda: int("x"), failed=tell), 0)
    assert os.read(read, 100) == b"invalid literal for int() with base 10: 'x'"
    os.close(read)
    os.close(write)


def test_a_child_does_not_wait_for_the_next_packet_to_end() -> None:
    began = time.monotonic()
    Child("the worker", until_the_end).stop()
    assert time.monotonic() - began < PATIENCE_S / 2
