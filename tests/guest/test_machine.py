"""Nothing but our guest is ever powered off or has its clock set: not a host, not a container, not as its root."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import testbed
from testbed.errors import GuestError
from testbed.guest import machine

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(testbed.__file__).parent
FIRST_PROCESS = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount", "--mount-proc"]
ATTEMPT = """
import os, sys
from testbed.errors import GuestError
from testbed.guest import machine
assert os.getpid() == 1 and os.getuid() == 0
for attempt in (machine.require_guest, machine.power_off, lambda: machine.set_clock(0), machine.take_turns):
    try:
        attempt()
    except GuestError as error:
        print(error)
    else:
        sys.exit("it was done")
"""


@pytest.mark.parametrize(
    "attempt", [machine.require_guest, machine.power_off, lambda: machine.set_clock(0), machine.take_turns]
)
def test_here_everything_is_refused(attempt: Callable[[], None]) -> None:
    before = time.time_ns()
    with pytest.raises(GuestError, match="nothing was done; use testbed run"):
        attempt()
    assert time.time_ns() >= before


def test_without_turns_a_program_stays_where_it_is() -> None:
    """On the machine's own kernel, and in real time."""
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    machine.stand_behind()
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before


def test_memory_is_mapped_at_once_within_the_block_and_only_there() -> None:
    program = """if True:
        import mmap, resource
        from testbed.guest.machine import mapped_at_once
        def faults():
            memory = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for page in range(0, 1 << 20, mmap.PAGESIZE):
                memory[page] = 1
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        faults()
        with mapped_at_once():
            within = faults()
        print(within < 64 < faults())
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_each_sign_that_is_missing_is_named() -> None:
    with pytest.raises(GuestError) as error:
        machine.require_guest()
    for sign in (f"process {os.getpid()}", "the root is no hostfs", "not started by the testbed"):
        assert sign in str(error.value)


def test_the_first_process_of_a_container_is_refused_as_its_root() -> None:
    alone = [*FIRST_PROCESS, sys.executable, "-c"]
    if subprocess.run([*alone, "pass"], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces can be had; allow them: sysctl kernel.unprivileged_userns_clone=1")
    done = subprocess.run(
        [*alone, ATTEMPT], check=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert done.stdout.count("the root is no hostfs") == 4
    assert "not the first one" not in done.stdout


def test_a_command_line_that_names_our_parameter_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "quiet emulation_seed=1")
    with pytest.raises(GuestError, match=r"\(the root is no hostfs\)"):
        machine.require_guest()


def test_the_agent_started_by_hand_ends_before_it_has_done_anything() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "testbed.guest.agent"], check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "GuestError: this program sets clocks and powers machines off" in done.stderr


def test_no_other_module_sets_a_clock_or_powers_off() -> None:
    """Our guest's rooms alone are looked at: the fence around the guest names the call that it refuses."""
    rooms = [PACKAGE / name for name in ("guest", "middlebox", "netlink", "traffic", "records")]
    words = ("clock_settime", "settimeofday", ".reboot(", "poweroff")
    found = {
        path.name
        for room in rooms
        for path in room.rglob("*.py")
        if any(word in path.read_text() for word in words)
    }  # fmt: skip
    assert found == {"machine.py"}
