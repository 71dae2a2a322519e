"""Runs in a guest, shared by the tests that look at them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from testbed.engine.kernel import kernel_info
from testbed.engine.prepare.command import UserCommand
from testbed.engine.prepare.programs import find_guest_program
from testbed.engine.run import Progress, run_plan
from testbed.records.run import RunDirectory
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel.cache import KernelInfo

# How long an example takes is the machine's affair: speed is measured in benchmarks/, never tested. CI tries the same
# examples each time, so that it fails for what changed; every other run looks for new ones.
settings.register_profile("testbed", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("testbed")

# What nohup or a shell's background starts ignores signals, and so would every program that a test starts and ends with
# one. Handled here, they are survived as before, and a new program begins with their default.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


@dataclass(frozen=True)
class FinishedRun:
    """A run directory and its manifest."""

    path: Path
    manifest: Any

    @property
    def records(self) -> RunDirectory:
        return RunDirectory.open(self.path)

    def transfer(self, line: str, name: str) -> Any:
        return next(each for each in self.manifest["transfers"] if (each["line"], each["name"]) == (line, name))


Runner = Callable[..., FinishedRun]


@pytest.fixture(scope="session")
def kernel() -> KernelInfo:
    """The guest's kernel, which a test that runs a guest cannot do without."""
    found = kernel_info()
    if found.path is None:
        pytest.skip("the guest's kernel is not built; run: testbed kernel build")
    return found


@pytest.fixture(scope="session")
def nginx() -> str:
    """The server itself, for a test that the testbed's own cannot stand in for."""
    found = find_guest_program("nginx")
    if found is None:
        pytest.skip("no nginx of 1.19.5 or later is here; run: apt-get install nginx-light")
    return found


@pytest.fixture(scope="session")
def run_scenario(tmp_path_factory: pytest.TempPathFactory, kernel: KernelInfo) -> Runner:
    """Run 2021-03-10, or another scenario, with settings: ``run_scenario("date=2021-04-03", seed=2, command=[…])``."""

    def run(
        *settings: str, scenario: str = "2021-03-10", seed: int | None = None, command: list[str] | None = None,
        silence_s: float = 120.0, privileged: bool = False, user_command: UserCommand | None = None,
        progress: Progress = lambda _: None, path: Path | None = None, memory_mib: int | None = None,
    ) -> FinishedRun:  # fmt: skip
        path = path or tmp_path_factory.mktemp("run") / "run"
        if command is not None:
            user_command = UserCommand(command, privileged=privileged)
        argv = None if user_command is None else list(user_command.argv)
        plan = make_plan(library.find("scenarios", scenario), list(settings), seed=seed, engine="virtual", command=argv)
        manifest = run_plan(
            plan,
            kernel,
            path,
            silence_s=silence_s,
            progress=progress,
            command=user_command,
            memory_mib=memory_mib,
        )
        return FinishedRun(path, manifest)

    return run


@pytest.fixture(scope="session")
def first_day(run_scenario: Runner) -> FinishedRun:
    """The first day as the scenario has it."""
    return run_scenario()


@pytest.fixture(scope="session")
def guest_answers(run_scenario: Runner) -> dict[str, Any]:
    """What the guest's kernel answered to `tests.guest.in_guest`, by question."""
    run = run_scenario(
        "recordings=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]", "captures=[]",
        command=[sys.executable, "-m", "tests.guest.in_guest", "/run/output/output/answers.json"], privileged=True,
    )  # fmt: skip
    assert run.manifest["certificate"]["command_status"] == 0, (run.path / "command.stderr").read_text()
    answers: dict[str, Any] = json.loads((run.path / "output" / "answers.json").read_text())
    return answers
