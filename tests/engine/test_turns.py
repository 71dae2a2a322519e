"""Who runs next where no time passes: whoever has waited longest, whatever everybody has computed before."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.command import UserCommand

if TYPE_CHECKING:
    from tests.conftest import Runner

FETCH = 'curl -sSo /dev/null -w "%{time_total}\\n" https://example.com/100000.bin'
POLLS = """import os, time
end = time.monotonic() + 4
while time.monotonic() < end: os.getppid()"""
PASSES_ON = """import os, time, tty
shown, typed = os.openpty()
tty.setraw(typed)
time.sleep(2)
began = time.monotonic()
os.write(typed, b".")
os.read(shown, 1)
print(time.monotonic() - began)"""
SHORT = ("recordings=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]")


def told(run_scenario: Runner, script: str) -> list[str]:
    """What a script prints that runs on the subscriber's line; the run is valid."""
    run = run_scenario(*SHORT, command=["sh", "-c", script])
    assert run.manifest["valid"], run.manifest["problems"]
    return (run.path / "command.stdout").read_text().split()


def test_programs_take_turns_in_the_order_in_which_they_are_woken(run_scenario: Runner) -> None:
    """Round robin; the fair scheduler's order depended on what had been computed long before."""
    asked = "os.sched_getscheduler(0) == os.SCHED_RR, os.sched_rr_get_interval(0), os.sched_getparam(0).sched_priority"
    assert told(run_scenario, f"python3 -c 'import os; print({asked})'") == ["True", "0.01", "1"]


def test_a_program_that_polls_makes_no_box_late(run_scenario: Runner) -> None:
    """The testbed's own go first, and other programs have their turn at the next tick of the clock."""
    alone = float(told(run_scenario, FETCH)[0])
    beside = float(told(run_scenario, f"python3 -c '{POLLS}' & sleep 0.2; {FETCH}; wait")[0])
    assert alone <= beside < 1.5 * alone


def test_the_kernels_own_threads_have_their_turn(run_scenario: Runner) -> None:
    """They are not among those that take turns: beside who polls, they run a twentieth of each second (fair server)."""
    beside = told(run_scenario, f"python3 -c '{POLLS}' & python3 -c '{PASSES_ON}'; wait")
    assert float(beside[0]) < 1


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser; run: apt-get install chromium")
def test_the_run_of_a_browser_is_valid(run_scenario: Runner) -> None:
    browser = UserCommand(
        ["chromium", "--headless", "--no-sandbox", "--ignore-certificate-errors", "--dump-dom", "https://example.com/"]
    )
    run = run_scenario(*SHORT, user_command=browser, memory_mib=2048)
    assert run.manifest["valid"], run.manifest["problems"]
    assert "an origin of the throttling testbed" in (run.path / "command.stdout").read_text()


def test_a_program_may_step_further_back(run_scenario: Runner) -> None:
    """As threads of browsers do, which lower their own rank."""
    back = "import os; os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))"
    alone, behind = (float(told(run_scenario, script)[0]) for script in (FETCH, f"python3 -c '{back}'; {FETCH}"))
    assert behind == pytest.approx(alone, abs=0.01)
