"""A silent guest is described: who has the processor, and whether time passes."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.engine.uml.stall import Activity, StallWatch, describe_stall, read_activity
from tests.engine.kernel.boot import guest_command

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo

LOOKS = 1000


def seen(**changes: object) -> Activity:
    values: dict[str, object] = {
        "program": "curl", "pid": 42, "call": 24, "calls": 1000, "clock_s": 7.0, "kernel_s": 1.0,
    }  # fmt: skip
    return Activity(**(values | changes))  # type: ignore[arg-type]


def described(*looks: Activity | None, every_s: float = 5.0) -> str | None:
    answers = iter(looks)
    times = iter(every_s * number for number in range(len(looks)))
    watch = StallWatch(1, clock=lambda: next(times), read=lambda _: next(answers))
    for _ in looks:
        watch.look()
    return watch.describe()


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ([seen(), seen()], "curl (process 42 of the guest) has computed for 5 s without a system call"),
        ([seen(), seen(), seen()], "computed for 10 s"),
        ([seen(), seen(calls=501_000, clock_s=7.5)], "makes 100,000 system calls a second, the last sched_yield"),
        ([seen(), seen(calls=2000, call=999)], "the last system call 999"),
        ([seen(pid=0, program="swapper"), seen(pid=0, clock_s=3607.0)], "everybody in the guest waits"),
        ([seen(), seen(pid=43, program="nginx", clock_s=7.25)], "take turns, now nginx (process 43 of the guest)"),
        ([seen(), seen(kernel_s=5.0)], "the guest's kernel has worked for 5 s on sched_yield of curl"),
        ([seen(call=None), seen(call=None, kernel_s=5.0)], "on a call of curl"),
    ],
)
def test_what_two_looks_show_is_said(looks: list[Activity], said: str) -> None:
    assert said in str(described(*looks))


def test_since_when_counts_from_the_first_look_that_shows_the_same() -> None:
    assert "computed for 5 s" in str(described(seen(pid=7), seen(calls=500), seen(calls=900), seen(calls=900)))


@pytest.mark.parametrize("looks", [[], [seen()], [None, seen()], [seen(), None], [None, None]])
def test_one_look_says_nothing(looks: list[Activity | None]) -> None:
    assert described(*looks) is None


def test_the_way_out_is_named_for_a_program_for_which_time_stands_still() -> None:
    assert "--engine realtime" in str(described(seen(), seen()))


def test_what_the_guest_said_in_between_is_forgotten() -> None:
    answers = iter([seen(), seen(), seen()])
    watch = StallWatch(1, clock=iter([0.0, 5.0, 10.0]).__next__, read=lambda _: next(answers))
    watch.look()
    watch.look()
    watch.reset()
    watch.look()
    assert watch.describe() is None


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1, -1], ids=["this one", "none", "no number of one"])
def test_a_process_that_is_no_guest_is_not_described(pid: int) -> None:
    assert read_activity(pid) is None
    assert describe_stall(pid, over_s=0.0) is None


@pytest.mark.parametrize(
    ("action", "said"),
    [("compute", "without a system call"), ("poll", "the last sched_yield"), ("wait", "everybody in the guest waits")],
)
def test_a_guest_that_hangs_is_described(tmp_path: Path, kernel: KernelInfo, action: str, said: str) -> None:
    assert kernel.path is not None
    command = guest_command(kernel.path, tmp_path, "busy")
    command.insert(1, f"ACTION={action}")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={"HOME": str(tmp_path)}) as guest:
        descriptions = (describe_stall(guest.pid) for _ in range(LOOKS))
        found = next((text for text in descriptions if text and said in text), None)
        guest.kill()
    assert found is not None
    assert action == "wait" or "python" in found
