"""What a machine denies is named before a run, with the line to type."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare import environment
from testbed.engine.prepare.environment import (
    available_memory,
    check_architecture,
    check_files,
    check_memory,
    check_processes,
    check_ptrace,
    check_reading,
    check_sizes,
    check_timers,
    environment_checks,
    require_environment,
    require_open_files,
)
from testbed.engine.uml import confine
from testbed.errors import MissingError

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("system", "machine", "ok"), [("Linux", "x86_64", True), ("Linux", "aarch64", False), ("Darwin", "x86_64", False)]
)
def test_only_linux_on_x86_64_will_do(system: str, machine: str, *, ok: bool) -> None:
    assert check_architecture(system, machine).ok is ok


@pytest.mark.parametrize(("limit", "ok"), [(12, False), (255, False), (256, True), (UNLIMITED, True)])
def test_few_open_files_are_refused_with_the_number_and_the_command(limit: int, *, ok: bool) -> None:
    check = check_files(limit)
    assert check.ok is ok
    assert ok or (str(limit) in check.found and "ulimit -Hn" in check.remedy)


@pytest.mark.parametrize(("captures", "ok"), [(0, True), (48, True), (49, False), (3000, False)])
def test_more_captures_than_open_files_are_refused(captures: int, *, ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 400))
    if ok:
        require_open_files(captures)
        return
    with pytest.raises(
        MissingError, match=rf"open files: 400 allowed, a guest needs \d+ with {captures} captures; mend"
    ):
        require_open_files(captures)


@pytest.mark.parametrize(("limit", "ok"), [(1, False), (256, True), (UNLIMITED, True)])
def test_few_processes_are_refused(limit: int, *, ok: bool) -> None:
    assert check_processes(limit).ok is ok


@pytest.mark.parametrize(("limit", "ok"), [(0, False), (16, True), (UNLIMITED, True)])
def test_few_timers_are_refused(limit: int, *, ok: bool) -> None:
    check = check_timers(limit)
    assert check.ok is ok
    assert check.remedy == ("" if ok else "ulimit -i 16")


@pytest.mark.parametrize(
    ("address_space", "file_size", "said"),
    [
        (UNLIMITED, UNLIMITED, ""),
        (512 * MIB, UNLIMITED, "ulimit -v unlimited"),
        (UNLIMITED, 512 * MIB, "ulimit -f unlimited"),
        (600 * MIB, 600 * MIB, ""),
    ],
)
def test_limits_of_size_hold_guest_and_kernel(address_space: int, file_size: int, said: str) -> None:
    check = check_sizes(address_space, file_size, 512)
    assert check.remedy == said
    assert check.ok is (said == "")


def test_too_little_memory_is_told_with_both_amounts_and_the_cause() -> None:
    check = check_memory(100 * MIB, "under the limit of 128 MiB in memory.max", 512)
    assert not check.ok
    assert check.found == "100 MiB free under the limit of 128 MiB in memory.max, this guest needs 512 MiB"


def machine(root: Path, *, free_mib: int, membership: str = "0::/a/b") -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {free_mib * 1024} kB\n")
    (root / "proc/self/cgroup").write_text(membership + "\n")
    return root


def group(folder: Path, *, limit: str, used_mib: int, files_mib: int = 0, version: int = 2) -> None:
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder.mkdir(parents=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used_mib * MIB}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{'' if version == 2 else 'total_'}inactive_file {files_mib * MIB}\n")


def test_a_machine_without_proc_is_told_to_mount_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"mount -t proc proc /proc"):
        available_memory(tmp_path)


def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    assert available_memory(machine(tmp_path, free_mib=700)) == (700 * MIB, "on this machine")


@pytest.mark.parametrize(
    ("folder", "membership", "version"),
    [
        ("sys/fs/cgroup/a/b", "0::/a/b", 2),
        ("sys/fs/cgroup/a", "0::/a/b", 2),
        ("sys/fs/cgroup", "0::/", 2),
        ("sys/fs/cgroup", "0::/of/the/host", 2),
        ("sys/fs/cgroup/memory/a", "4:cpu,memory:/a", 1),
    ],
)
def test_the_limit_of_a_control_group_counts_wherever_it_is_set(
    tmp_path: Path, folder: str, membership: str, version: int
) -> None:
    machine(tmp_path, free_mib=9000, membership=membership)
    group(tmp_path / folder, limit=str(600 * MIB), used_mib=300, files_mib=100, version=version)
    free, where = available_memory(tmp_path)
    assert free == 400 * MIB
    assert "limit of 600 MiB" in where


def test_a_group_without_a_limit_does_not_count(tmp_path: Path) -> None:
    group(machine(tmp_path, free_mib=700) / "sys/fs/cgroup/a", limit="max", used_mib=1)
    assert available_memory(tmp_path)[1] == "on this machine"


def test_what_is_closed_to_the_guests_user_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(confine, "guest_identity", lambda: (os.geteuid() + 1, os.getegid() + 1))
    monkeypatch.setattr(confine, "_may", lambda _: False)
    monkeypatch.setattr(confine, "give_up_privileges", lambda: None)
    closed = tmp_path / "closed"  # what is not there cannot be read either, and not by root
    check = check_reading([tmp_path, closed])
    assert not check.ok
    assert check.found.startswith(f"{closed} is closed to nobody")
    assert check_reading([tmp_path]).ok


def test_ptrace_is_tried() -> None:
    assert check_ptrace().ok


@pytest.mark.parametrize(
    ("script", "problem", "remedy"),
    [
        ("print('without PTRACE_SYSEMU')", "without PTRACE_SYSEMU", "--engine native, or use another machine"),
        ("print('with 65536 bytes')", "with 65536 bytes", "--engine native, or use another machine"),
        ("print('forbidden')", "forbidden", "sysctl kernel.yama.ptrace_scope=1"),
        ("import sys; sys.exit(1)", "forbidden", "sysctl kernel.yama.ptrace_scope=1"),
    ],
)
def test_a_failed_attempt_is_named_with_what_helps(
    monkeypatch: pytest.MonkeyPatch, script: str, problem: str, remedy: str
) -> None:
    monkeypatch.setattr(environment, "_ATTEMPT", script)
    assert check_ptrace().found == problem
    assert remedy in check_ptrace().remedy


def test_the_first_denial_stops_a_run_with_the_line_to_type() -> None:
    with pytest.raises(
        MissingError, match=r"guest memory: \d+ MiB free .*, this guest needs 1000000000 MiB; mend with"
    ):
        require_environment(guest_mib=10**9)


def test_this_machine_will_do() -> None:
    require_environment()
    assert all(check.ok for check in environment_checks())


def test_a_shell_that_allows_twelve_files_is_told_so() -> None:
    command = (
        "import testbed.engine.prepare.environment as e\ntry: e.require_environment()\nexcept Exception as x: print(x)"
    )
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 12; exec "$@"', "sh", sys.executable, "-c", command],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("open files: 12 allowed")
