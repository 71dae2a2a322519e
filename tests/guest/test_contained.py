"""The agent in namespaces does nothing where it is not the first process of some that are not the machine's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testbed.errors import GuestError
from testbed.guest.contained import main, require_namespaces

if TYPE_CHECKING:
    from pathlib import Path


def proc(folder: Path, uid_map: str) -> Path:
    (folder / "self").mkdir()
    (folder / "self" / "uid_map").write_text(uid_map)
    return folder


def test_an_agent_that_somebody_starts_by_hand_ends_at_once() -> None:
    with pytest.raises(GuestError, match="not the first one"):
        main()


@pytest.mark.parametrize("uid_map", ["         0          0 4294967295\n", ""])
def test_root_of_the_machine_itself_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid_map: str) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(GuestError, match="the machine's own user namespace"):
        require_namespaces(proc(tmp_path, uid_map))


def test_the_first_process_of_a_namespace_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    require_namespaces(proc(tmp_path, "         0       1000          1\n"))
