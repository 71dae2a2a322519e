"""Same seed, scenario and programs: same bytes, whatever paths, compiled modules and environment are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import testbed
from testbed.engine.judge.compare_runs import compare_runs

if TYPE_CHECKING:
    from testbed.engine.kernel.cache import KernelInfo

REPOSITORY = Path(testbed.__file__).resolve().parent.parent
BOTH_CLIENTS = (
    "measurements=[{fetch: twitter.com, role: target, size: 60 kB}, "
    "{fetch: t.co, role: target, size: 60 kB, client: curl}]"
)
SMALL = (
    "lines=[{name: mobile, kind: mobile, tspu: true}]",
    BOTH_CLIENTS,
    "recordings=[{name: twimg-image, line: mobile, sni: abs.twimg.com, size: 30 kB}]",
)


def run(
    folder: Path,
    *,
    code: Path = REPOSITORY,
    python: str = sys.executable,
    environment: dict[str, str] | None = None,
    command: tuple[str, ...] = (),
) -> Path:
    """A small run by the command line, in a process of its own."""
    settings = [word for setting in SMALL for word in ("--set", setting)]
    result = subprocess.run(
        [python, "-m", "testbed.cli", "run", "2021-03-10", *settings, "--seed", "7", "-o", str(folder), *command],
        capture_output=True, text=True, check=False, cwd=code,
        env={**os.environ, "PYTHONPATH": str(code), **(environment or {})},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def reference(kernel: KernelInfo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that the others are compared with."""
    assert kernel.path is not None
    return run(tmp_path_factory.mktemp("reference") / "run")


def copied(folder: Path) -> Path:
    """The code at another place, without compiled modules."""
    for name in ("testbed", "scenarios", "topologies"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def assert_equal(first: Path, second: Path) -> None:
    found = compare_runs(first, second)
    assert found.causes == ()
    assert found.differences == ()


def test_the_length_of_paths_changes_nothing(reference: Path, tmp_path: Path) -> None:
    assert_equal(reference, run(tmp_path / ("long" * 40) / "with spaces, and a comma" / "run"))


def test_another_installation_without_compiled_modules_changes_nothing(reference: Path, tmp_path: Path) -> None:
    code = copied(tmp_path / "elsewhere" / ("deep" * 30))
    assert_equal(reference, run(tmp_path / "run", code=code))


def test_compiled_modules_and_their_age_change_nothing(reference: Path, tmp_path: Path) -> None:
    code = copied(tmp_path / "code")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(code / "testbed")], check=True)
    for path in (code / "testbed").rglob("*.py"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    assert_equal(reference, run(tmp_path / "run", code=code))


def test_an_installed_wheel_changes_nothing(reference: Path, tmp_path: Path) -> None:
    """As pip lays it out: the package with scenarios and topologies inside."""
    code = copied(tmp_path / "site-packages")
    for name in ("scenarios", "topologies"):
        shutil.move(code / name, code / "testbed" / name)
    assert_equal(reference, run(tmp_path / "run", code=code))


def test_the_testbeds_own_code_changes_no_byte(reference: Path, tmp_path: Path) -> None:
    """Other modules, other functions, memory used before a connection: nothing that a packet could show."""
    code = copied(tmp_path / "changed")
    (code / "testbed" / "records" / "useless.py").write_text(
        "TABLE = {str(number): [number] * 9 for number in range(4000)}\n"
    )
    agent = code / "testbed" / "guest" / "agent.py"
    agent.write_text(
        agent.read_text().replace(
            "class World:",
            "from testbed.records import useless\nKEPT = (useless, bytearray(2_000_000))\n\n\nclass World:",
        )
    )
    found = compare_runs(reference, run(tmp_path / "run", code=code))
    assert [cause.partition(":")[0] for cause in found.causes] == ["code"]
    assert found.differences == ()


def test_the_environment_changes_nothing(reference: Path, tmp_path: Path) -> None:
    environment = {f"VARIABLE_{number}": "x" * 300 for number in range(30)}
    environment |= {
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
        "HOME": str(tmp_path),
        "PYTHONHASHSEED": "5",
        "MALLOC_ARENA_MAX": "9",
    }
    environment |= {"XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))}
    assert_equal(reference, run(tmp_path / "run", environment=environment))


def test_folders_of_the_callers_path_change_nothing_of_a_command(kernel: KernelInfo, tmp_path: Path) -> None:
    """A virtual environment that is first on PATH lies in a folder that is hidden, and is shown all the same."""
    assert kernel.path is not None
    command = ("--", "curl", "-sSo", "/dev/null", "https://twitter.com/60000.bin")
    system = "/usr/local/bin:/usr/bin:/bin"
    plain = run(tmp_path / "plain", command=command, environment={"PATH": system})
    for name in ("venv/bin", "tools", "more/of/them"):
        (tmp_path / name).mkdir(parents=True)
    paths = ":".join(str(tmp_path / name) for name in ("venv/bin", "tools", "more/of/them"))
    with_more = run(
        tmp_path / "with-more", command=command, environment={"PATH": f"{paths}:{system}", "FOO": "x" * 999}
    )
    assert_equal(plain, with_more)


def test_another_user_changes_nothing(reference: Path, tmp_path: Path) -> None:
    """A root that nobody else is known to, as in a container: the guest then keeps its user."""
    alone = ["unshare", "--user", "--map-root-user", sys.executable]
    if subprocess.run([*alone, "-c", "pass"], check=False, capture_output=True).returncode:
        pytest.skip("no other user can be had; allow user namespaces: sysctl kernel.unprivileged_userns_clone=1")
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {" ".join(alone)} "$@"\n')
    program.chmod(0o755)
    assert_equal(reference, run(tmp_path / "run", python=str(program)))
