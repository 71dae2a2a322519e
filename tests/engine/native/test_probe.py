"""What the machine's kernel lacks is told by name, with the line to type."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, cast

import pytest

from testbed.engine.native.probe import native_checks, trials
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


def test_a_machine_without_user_namespaces_is_told_so_and_how_to_allow_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'PermissionError: namespaces cannot be made' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    [check] = native_checks()
    assert not check.ok
    assert "namespaces cannot be made" in check.found
    assert "apparmor_restrict_unprivileged_userns" in check.remedy


def test_whatever_is_missing_here_has_a_line_to_type() -> None:
    checks = list(native_checks())
    assert checks
    assert [check.name for check in checks if bool(check.remedy) == check.ok] == []
