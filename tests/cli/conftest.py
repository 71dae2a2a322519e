"""What the tests of commands share: a pretended kernel, and one small run."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from testbed.engine.kernel import KernelInfo
from tests.cli.program import SMALL, Call, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Runner


@pytest.fixture(autouse=True)
def _keep_the_signal_handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def pretended_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A kernel that is said to be there; what happens before the guest starts needs no other."""
    program = tmp_path / "linux"
    info = KernelInfo(path=program, hash="0", version="", source="", options=(), size_bytes=0, built="")
    monkeypatch.setattr("testbed.engine.kernel.ensure_kernel", lambda **_: program)
    monkeypatch.setattr("testbed.engine.kernel.kernel_info", lambda: info)
    return program


@pytest.fixture(scope="session")
def json_run(run_scenario: Runner, tmp_path_factory: pytest.TempPathFactory) -> Call:
    """A small run by the command line, in a folder with a space in its name."""
    assert callable(run_scenario)  # skips where there is no kernel
    folder = tmp_path_factory.mktemp("with space") / "my run"
    arguments = ["run", "2021-03-10", *SMALL, "--seed", "7", "-o", str(folder), "--json"]
    return Call(folder, command(*arguments, stdout=subprocess.PIPE))
