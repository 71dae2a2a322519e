"""The line to type is the distribution's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.engine.kernel.build import TOOL_PACKAGES
from testbed.engine.prepare import distribution
from testbed.engine.prepare.distribution import _fields, installation, this_distribution
from testbed.engine.prepare.programs import GUEST_PROGRAMS

if TYPE_CHECKING:
    from pathlib import Path

# As the systems say of themselves.
DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
UBUNTU = 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'
MINT = "ID=linuxmint\nID_LIKE='ubuntu debian'\n"
FEDORA = 'NAME="Fedora Linux"\nID=fedora\n'
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'
ARCH = 'NAME="Arch Linux"\nID=arch\n'
MANJARO = "ID=manjaro\nID_LIKE=arch\n"
ALPINE = 'NAME="Alpine Linux"\nID=alpine\n'
OTHER = "ID=nixos\n"


def of(text: str, folder: Path) -> distribution.Distribution | None:
    (folder / "os-release").write_text(text)
    return this_distribution([folder / "nowhere", folder / "os-release"])


@pytest.mark.parametrize(
    ("text", "name"),
    [(DEBIAN, "debian"), (UBUNTU, "debian"), (MINT, "debian"), (FEDORA, "fedora"), (ROCKY, "fedora"), (ARCH, "arch"),
     (MANJARO, "arch"), (ALPINE, "alpine")],
)  # fmt: skip
def test_a_distribution_is_told_by_itself_or_by_what_it_is_like(text: str, name: str, tmp_path: Path) -> None:
    found = of(text, tmp_path)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("text", [OTHER, "", "no fields here", "ID="])
def test_any_other_is_none_of_them(text: str, tmp_path: Path) -> None:
    assert of(text, tmp_path) is None


def test_a_system_that_says_nothing_is_none_of_them(tmp_path: Path) -> None:
    assert this_distribution([tmp_path / "nowhere"]) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (UBUNTU, "apt-get install curl iproute2 nginx-light"),
        (FEDORA, "dnf install curl iproute-tc nginx"),
        (ARCH, "pacman -S --needed curl iproute2 nginx"),
        (ALPINE, "apk add curl iproute2 nginx"),
    ],
)
def test_one_line_installs_several_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, line: str
) -> None:
    found = of(text, tmp_path)
    monkeypatch.setattr(distribution, "this_distribution", lambda: found)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert installation(["nginx", "tc", "curl", "nginx"]) == line


@pytest.mark.parametrize(("has_sudo", "head"), [(True, "sudo "), (False, "as root: ")])
def test_who_is_not_root_is_told_how_to_be(monkeypatch: pytest.MonkeyPatch, *, has_sudo: bool, head: str) -> None:
    monkeypatch.setattr(distribution, "this_distribution", lambda: distribution._DEBIAN)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/sudo" if has_sudo else None)
    assert installation(["curl"]) == f"{head}apt-get install curl"


def test_what_no_package_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "this_distribution", lambda: distribution._KNOWN["fedora"])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert installation(["curl", "mnexec"]) == "dnf install curl; no package of this system has mnexec"
    assert installation(["mnexec"]) == "no package of this system has mnexec"


def test_on_an_unknown_system_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "this_distribution", lambda: None)
    assert installation(["tc", "curl"]) == "install with this system's package manager: curl, tc"


def test_on_debian_tools_are_those_that_the_kernels_build_names() -> None:
    """Two tables, because the kernel is built before this can be imported: they must not drift apart."""
    for program, packages in TOOL_PACKAGES.items():
        assert distribution._DEBIAN.packages_of([program])[0] == sorted(packages.split())


def test_every_family_knows_every_program_or_says_that_it_does_not() -> None:
    for family in distribution._KNOWN.values():
        packages, absent = family.packages_of([*GUEST_PROGRAMS, *TOOL_PACKAGES])
        assert set(absent) <= {"mnexec"}
        assert not set(packages) & {"ld", "ip", "tc", "mnexec"}  # no distribution has packages of these names


@given(st.text())
def test_whatever_the_file_says_it_is_read(text: str) -> None:
    assert all(isinstance(value, str) for value in _fields(text).values())
