"""Waits for another process in loops that never sleep; reports how long each took on the guest's clock."""

from __future__ import annotations

import os
import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.engine.kernel.programs.first_process import answer, mount

if TYPE_CHECKING:
    from collections.abc import Callable

SLEEP_S = 0.5


def until_the_other_has_slept(look: Callable[[], object]) -> str:
    """Call until a child that sleeps has ended: it ends only if time passes."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        time.sleep(SLEEP_S)
        os._exit(0)
    calls = 0
    while calls % 100 or os.waitpid(child, os.WNOHANG) == (0, 0):
        look()
        calls += 1
    return f"{time.monotonic() - began:.1f}"


def polling() -> Callable[[], object]:
    poll = select.poll()
    return lambda: poll.poll(0)


def receiving() -> Callable[[], object]:
    inbox, _ = socket.socketpair()
    inbox.settimeout(0.0)

    def look() -> None:
        with suppress(BlockingIOError):
            inbox.recv(1)

    return look


def on_the_clock() -> str:
    began = time.monotonic()
    while (now := time.monotonic()) < began + SLEEP_S:
        pass
    return f"{now - began:.1f}"


def work_of_a_while() -> str:
    """Calls that an ordinary program makes at one instant cost no time."""
    began = time.monotonic_ns()
    for _ in range(5000):
        os.getppid()
    return str(time.monotonic_ns() - began)


mount()
answer({
    "sched_yield": lambda: until_the_other_has_slept(os.sched_yield),
    "poll": lambda: until_the_other_has_slept(polling()),
    "recv": lambda: until_the_other_has_slept(receiving()),
    "getppid": lambda: until_the_other_has_slept(os.getppid),
    "clock": on_the_clock,
    "idle": lambda: time.sleep(1),
    "work": work_of_a_while,
})  # fmt: skip
