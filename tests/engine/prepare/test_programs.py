"""What the guest will not find is missed before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.engine.prepare import distribution, programs
from testbed.engine.prepare.programs import GUEST_PATH, require_programs
from testbed.engine.prepare.substitutes import settle_programs
from testbed.errors import MissingError
from testbed.scenario import library
from testbed.scenario.plan import Plan, make_plan


def plan(*settings: str) -> Plan:
    return make_plan(library.find("scenarios", "2021-03-10"), list(settings), seed=None, engine="virtual", command=None)


def test_programs_are_looked_for_where_the_guest_looks() -> None:
    boot = Path(programs.__file__).parents[2] / "guest" / "boot.sh"
    assert f"\nexport PATH={GUEST_PATH}\n" in boot.read_text()


@pytest.mark.parametrize(
    ("settings", "missing", "packages"),
    [
        ((), "curl, mount, nginx", "curl mount nginx-light"),
        (
            ("measurements=[{fetch: t.co, role: target}]",),
            "mount, nginx",
            "mount nginx-light",
        ),
        (
            ("network.links=stock",),
            "curl, ip, mnexec, mount, nginx, tc",
            "curl iproute2 mininet mount nginx-light",
        ),
    ],
)
def test_only_what_the_plan_runs_is_missed_and_its_packages_are_named_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: tuple[str, ...], missing: str, packages: str
) -> None:
    monkeypatch.setattr(programs, "GUEST_PATH", str(tmp_path))
    monkeypatch.setattr(distribution, "this_distribution", lambda: distribution._DEBIAN)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(MissingError) as refusal:
        require_programs(plan(*settings))
    assert str(refusal.value) == f"not on this machine: {missing}; run: apt-get install {packages}"


def test_what_is_there_is_not_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("curl", "mount", "nginx"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setattr(programs, "GUEST_PATH", str(tmp_path))
    require_programs(plan())


@pytest.mark.parametrize(("said", "found"), [("1.18.0 (Ubuntu)", False), ("1.19.5", True), ("1.22.1", True)])
def test_an_nginx_that_our_servers_cannot_be_made_of_is_as_good_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, found: bool
) -> None:
    monkeypatch.setattr(programs, "GUEST_PATH", str(tmp_path))
    (tmp_path / "nginx").write_text(f"#!/bin/sh\necho 'nginx version: nginx/{said}' >&2\n")
    (tmp_path / "nginx").chmod(0o755)
    assert (programs.find_guest_program("nginx") is not None) is found
    settled = settle_programs(plan())
    assert settled.data.get("programs", {}).get("origin") == (None if found else "builtin")


@pytest.mark.parametrize(("does", "found"), [("head --bytes=99 /dev/urandom >&2", True), ("exec sleep 60", False)])
def test_an_nginx_that_answers_nonsense_or_never_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, *, found: bool
) -> None:
    monkeypatch.setattr(programs, "GUEST_PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_ANSWER_S", 0.2 if not found else 10.0)
    (tmp_path / "nginx").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "nginx").chmod(0o755)
    assert (programs.find_guest_program("nginx") is not None) is found
