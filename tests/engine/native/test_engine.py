"""A run on the machine's own kernel: made where it has what that needs, refused by name where it lacks something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from testbed.engine.native.engine import NATIVE
from testbed.engine.native.probe import native_checks
from testbed.engine.prepare.environment import Check
from testbed.engine.run import run_plan
from testbed.errors import InvalidRunError, MissingError
from testbed.records.run import RunDirectory
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.scenario.plan import Plan

SETTINGS = [
    "recordings=[]", "outages=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]",
    "measurements=[{fetch: example.com, role: control, size: 60 kB}, {fetch: t.co, role: target, size: 60 kB}]",
]  # fmt: skip


def planned(command: list[str] | None = None) -> Plan:
    return make_plan(library.find("scenarios", "2021-03-10"), SETTINGS, seed=1, engine="native", command=command)


def run(plan: Plan, folder: Path) -> RunDirectory:
    run_plan(plan, NATIVE.prepare(lambda _: None), folder, silence_s=60, progress=lambda _: None)
    return RunDirectory.open(folder)


def test_the_machines_kernel_throttles_as_the_scenario_says(tmp_path: Path) -> None:
    missing = [check for check in native_checks() if not check.ok]
    if missing:
        pytest.skip(f"{missing[0].name}: {missing[0].found}; {missing[0].remedy}")
    before_ns = time.time_ns()
    manifest = run(planned(), tmp_path / "run").manifest()
    # A busy machine makes the run invalid, and says so; what was throttled does not depend on it.
    assert {each["name"]: each["throttled"] for each in manifest["transfers"]} == {"example.com": False, "t.co": True}
    assert before_ns < manifest["start_ns"] < time.time_ns()
    assert manifest["certificate"]["lateness"]["timers"] > 0


@pytest.mark.parametrize(("machine", "other"), [("x86_64", True), ("aarch64", False)])
def test_a_machine_that_lacks_something_is_refused_before_a_folder_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, *, other: bool
) -> None:
    plan = planned()
    monkeypatch.setattr("platform.machine", lambda: machine)
    lacks = Check("delays (netem)", ok=False, found="the kernel refused", remedy="sudo modprobe -a sch_netem")
    monkeypatch.setattr("testbed.engine.native.probe.native_checks", lambda: iter([lacks]))
    with pytest.raises(
        MissingError, match=r"delays \(netem\): the kernel refused; mend with: sudo modprobe"
    ) as refused:
        run(plan, tmp_path / "run")
    assert refused.value.exit_status == 3
    assert ("; or use --engine virtual" in str(refused.value)) is other
    assert not (tmp_path / "run").exists()


def test_root_that_cannot_become_nobody_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("testbed.engine.uml.confine.guest_identity", lambda: (0, 0))
    with pytest.raises(MissingError, match="start the testbed as another user"):
        run(planned(), tmp_path / "run")


def test_a_program_of_the_users_has_the_network_and_its_status_is_kept(tmp_path: Path) -> None:
    missing = [check for check in native_checks() if not check.ok]
    if missing:
        pytest.skip(f"{missing[0].name}: {missing[0].found}; {missing[0].remedy}")
    script = "curl -sS --output /dev/null --write-out '%{http_code} %{remote_ip}' https://example.com/; exit 7"
    found = run(planned(["sh", "-c", script]), tmp_path / "run")
    assert found.manifest()["certificate"]["command_status"] == 7
    assert (found.path / "command.stdout").read_text() == "200 198.51.100.6"


def test_what_fails_inside_is_told_outside_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checks = list(native_checks())
    if not checks[0].ok:
        pytest.skip(f"{checks[0].name}: {checks[0].found}; {checks[0].remedy}")
    monkeypatch.setattr("testbed.engine.native.probe.native_checks", lambda: iter(()))
    plan = planned()
    plan.data["topology"]["parameters"] = {"hops": "many"}
    with pytest.raises(InvalidRunError, match="in the guest: ParameterError"):
        run(plan, tmp_path / "run")
    assert not (tmp_path / "run" / ".guest").exists()
