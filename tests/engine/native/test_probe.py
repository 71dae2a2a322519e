"""What the machine's kernel lacks is told by name, with the line to type."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, cast

import pytest

from testbed.engine.native.probe import _MODULES, _allow, native_checks, trials
from testbed.netlink import NetlinkError, NetlinkSocket, link

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from testbed.netlink.socket import Request


class KernelWithout:
    """A kernel that refuses what is called so."""

    def __init__(self, missing: str) -> None:
        self.missing = missing

    def send(self, requests: Iterable[Request]) -> None:
        for request in requests:
            if self.missing in request.what:
                raise NetlinkError(2, request.what, "")


@pytest.mark.parametrize(
    ("missing", "told"),
    [("netem", "delays (netem)"), ("HTB", "rates (HTB)"), ("bridge", "bridges"), ("dummy", "drop ports (dummy)")],
)
def test_each_thing_that_is_refused_is_told_and_no_other(
    monkeypatch: pytest.MonkeyPatch, missing: str, told: str
) -> None:
    states = {
        name: link.LinkState(index, name, 1500, up=True, sends=True)
        for index, name in enumerate(("one", "two"), start=1)
    }
    monkeypatch.setattr(link, "links", lambda _: states)
    monkeypatch.setattr("testbed.engine.native.probe.load_rules", lambda *_: None)
    monkeypatch.setattr("testbed.engine.native.probe.PacketQueue", lambda *_, **__: io.BytesIO())
    found = trials(cast("NetlinkSocket", KernelWithout(missing)))
    assert [name for name, problem in found.items() if problem] == [told]


@pytest.mark.parametrize(
    ("said", "name", "remedy"),
    [
        ("PermissionError: [Errno 1] namespaces cannot be made: Operation not permitted", "user namespaces", "chroot"),
        ("PermissionError: [Errno 1] Operation not permitted: '/proc/self/uid_map'", "user namespaces", "chroot"),
        ("OSError: [Errno 28] namespaces cannot be made: No space left on device", "as many namespaces",
         "user.max_{user,net,"),
        ("PermissionError: [Errno 1] proc cannot be mounted at /proc: Operation not permitted", "mounts of its own",
         "systempaths=unconfined"),
        ("OSError: [Errno 38] the attributes of the mount at / cannot be set: Function not implemented",
         "read-only mounts", "Linux 5.12"),
        ("PermissionError: [Errno 13] Permission denied: '/root/venv/bin/python'", "programs within reach",
         "start it as a user"),
        ("OSError: [Errno 22] the kernel takes no seccomp filter", "refused system calls", "CONFIG_SECCOMP_FILTER"),
        ("OSError: the numbers of system calls are known for x86_64 and aarch64, not for riscv64", "this processor",
         "another machine"),
    ],
)  # fmt: skip
def test_a_guest_that_cannot_be_made_is_told_by_what_failed_and_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, name: str, remedy: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "Traceback" >&2\necho "{said}" >&2\nexit 1\n')
    program.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)  # who is root is nobody there
    monkeypatch.setattr(sys, "executable", str(program))
    [check] = native_checks()
    assert (check.ok, check.name) == (False, name)
    assert said in check.found
    assert remedy in check.remedy


def test_who_is_forbidden_what_the_kernel_has_is_not_told_to_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ubuntu 24.04 lets everybody make a user namespace, and then takes its root's rights away."""
    problems = dict.fromkeys(_MODULES, "")
    problems["bridges"] = str(NetlinkError(errno.EPERM, "add the bridge", ""))
    answer = subprocess.CompletedProcess([], 0, json.dumps(problems), "")
    monkeypatch.setattr("testbed.engine.native.probe._try_in_a_guest", lambda: answer)
    [check] = [check for check in native_checks() if not check.ok]
    assert check.name == "bridges"
    assert "modprobe" not in check.remedy


@pytest.mark.parametrize(
    ("parameter", "value", "typed"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=1000"),
        ("kernel/apparmor_restrict_unprivileged_userns", "0", ""),
        ("kernel/unprivileged_userns_clone", "1", ""),
    ],
)
def test_what_forbids_user_namespaces_on_this_machine_is_what_is_to_be_changed(
    tmp_path: Path, parameter: str, value: str, typed: str
) -> None:
    place = tmp_path / parameter
    place.parent.mkdir()
    place.write_text(f"{value}\n")
    assert (f"sudo sysctl -w {typed}" if typed else "outside of the chroot") in _allow(tmp_path)


def test_whatever_is_missing_here_has_a_line_to_type() -> None:
    checks = list(native_checks())
    assert checks
    assert [check.name for check in checks if bool(check.remedy) == check.ok] == []


def test_a_machine_without_pseudo_terminals_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare chroot has no /dev/pts."""

    def none() -> None:
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(os, "openpty", none)
    [check] = native_checks()
    assert (check.name, check.ok, check.found) == ("pseudo-terminals", False, "none can be opened: No such device")
    assert "mount -t devpts" in check.remedy
