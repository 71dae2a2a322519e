"""The doctor finds what is missing and names the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import doctor
from testbed.doctor import Check, diagnose, format_checks
from testbed.engine.prepare import distribution
from testbed.engine.prepare.environment import environment_checks

if TYPE_CHECKING:
    from pathlib import Path


def test_a_program_that_is_too_old_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "nginx").write_text("#!/bin/sh\necho 'nginx version: nginx/1.18.0 (Ubuntu)' >&2\n")
    (tmp_path / "nginx").chmod(0o755)
    check = doctor.check_program("nginx", path=str(tmp_path), dispensable="another stands in")
    assert (check.ok, check.found) == (False, f"{tmp_path / 'nginx'} is too old: another stands in")


def test_whatever_can_be_mended_has_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "GUEST_PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "find_source", lambda: None)
    failed = [check for check in diagnose() if not check.ok and check.name not in {"machine", "landlock"}]
    assert {"mount", "gcc", "kernel", "linux source"} <= {check.name for check in failed}
    assert not [check.name for check in failed if not check.remedy]


def test_build_tools_are_not_required_once_the_kernel_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    for built in (True, False):
        monkeypatch.setattr(doctor, "check_kernel", lambda built=built: Check("kernel", ok=built, found=""))
        required = {check.name: check.required for check in diagnose()}
        assert required["gcc"] is not built
        assert required["linux source"] is not built
        assert required["mount"]
        assert not required["nginx"]


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 9), False), ((3, 11, 0), True), ((3, 13, 1), True)])
def test_python_must_be_new_enough(version: tuple[int, int, int], *, ok: bool) -> None:
    assert doctor.check_python(version).ok is ok


def test_a_program_outside_the_users_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nft"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nonexistent")
    assert doctor.check_program("nft", path=str(tmp_path)) == Check("nft", ok=True, found=str(program), program="nft")


@pytest.fixture
def fedora(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of another family than Debian's, and its root."""
    family = distribution._KNOWN["fedora"]
    for module in (distribution, doctor):
        monkeypatch.setattr(module, "this_distribution", lambda: family)
    monkeypatch.setattr("os.geteuid", lambda: 0)


@pytest.mark.usefixtures("fedora")
def test_a_missing_program_names_its_package() -> None:
    check = doctor.check_program("tc", path="/nonexistent")
    assert not check.ok
    assert check.remedy == "dnf install iproute-tc"


@pytest.mark.usefixtures("fedora")
def test_one_line_installs_all_that_is_missing_and_another_what_runs_do_without() -> None:
    checks = [
        doctor.check_program("mount", path="/nonexistent"),
        doctor.check_program("python3", path="/nonexistent"),
        doctor.check_program("nginx", path="/nonexistent", dispensable="the testbed's own server stands in"),
        doctor.check_program("tc", path="/nonexistent", dispensable="for 'network: {links: stock}' alone"),
        doctor.check_program("gcc", path="/nonexistent", dispensable="the kernel is built"),
    ]
    *_, missing, absent, count = format_checks(checks).splitlines()
    assert missing == "what is missing comes with: dnf install python3 util-linux"
    assert absent == "what runs do without comes with: dnf install iproute-tc nginx"
    assert count == "2 missing"


@pytest.mark.usefixtures("fedora")
def test_where_nobody_can_compile_no_compiler_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("testbed.engine.kernel.source.SOURCE_FOLDER", tmp_path)
    monkeypatch.setattr("testbed.engine.kernel.build.find_source", lambda: None)
    monkeypatch.setattr("testbed.engine.kernel.build.packaged_kernel", lambda _, **__: None)
    checks = {check.name: check for check in diagnose()}
    assert not checks["gcc"].required
    assert not checks["linux source"].required
    assert checks["kernel"].required
    assert "throttling-testbed-kernel" in checks["kernel"].remedy


def test_a_missing_python_package_names_the_command() -> None:
    assert doctor.check_package("no-such-package").remedy == "pip install no-such-package"


def test_the_kernels_package_is_asked_for_as_a_file() -> None:
    """As long as it is on no index, somebody else could put something there under its name."""
    assert "pip install WHEEL" in doctor.check_package("throttling-testbed-kernel").remedy


def test_the_packages_are_those_of_the_project() -> None:
    names = {check.name for check in doctor.check_packages()}
    assert "mininet" in names
    assert "pytest" not in names


@pytest.mark.parametrize(("version", "ok"), [(0, False), (1, True), (6, True)])
def test_runs_do_without_landlock(version: int, *, ok: bool) -> None:
    check = doctor.check_landlock(version)
    assert check.ok is ok
    assert not check.required


def test_the_table_says_what_is_missing_and_how_much() -> None:
    checks = [
        Check("curl", ok=True, found="/usr/bin/curl"),
        Check("nft", ok=False, found="not found", remedy="sudo apt-get install nftables"),
        Check("gcc", ok=False, found="not found", remedy="sudo apt-get install gcc", required=False, program="gcc"),
        Check("native", ok=False, found="no netem", remedy="sudo modprobe -a sch_netem", required=False),
    ]
    assert format_checks(checks).splitlines() == [
        "ok       curl    /usr/bin/curl",
        "MISSING  nft     not found; mend with: sudo apt-get install nftables",
        "absent   gcc     not found (runs do without it)",
        "absent   native  no netem (runs do without it; to have it: sudo modprobe -a sch_netem)",
        "1 missing",
    ]


def test_the_table_says_when_nothing_is_missing() -> None:
    assert format_checks([Check("curl", ok=True, found="")]).endswith("everything is there")


def test_what_a_run_checks_at_its_start_is_what_the_doctor_checks() -> None:
    assert {check.name for check in environment_checks()} <= {check.name for check in diagnose()}
