"""The container and the virtual machine that the repository makes: what they are made of, and what they ask for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CONTAINERFILE = (ROOT / "Containerfile").read_text()
VAGRANTFILE = (ROOT / "Vagrantfile").read_text()
DEVCONTAINER: dict[str, Any] = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())

# As a container's runtime starts a process: namespaces, no capability and none to gain, and little shared memory.
CONTAINED = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--ipc", "--fork", "--mount-proc", "sh", "-ec"]
NO_CAPABILITY = """
mount -t tmpfs -o size=64m tmpfs /dev/shm
exec setpriv --inh-caps -all --ambient-caps -all --bounding-set -all --no-new-privs "$@"
"""


def steps() -> list[tuple[str, str, str]]:
    """What the Containerfile says: stage, instruction, the rest, with continued lines put together."""
    stage, found = "", []
    for line in re.sub(r"\\\n\s*", "", CONTAINERFILE).splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            stage = rest.split()[-1]
        if instruction and instruction != "#":
            found.append((stage, instruction, rest))
    return found


def contained(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CONTAINED, NO_CAPABILITY, "sh", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.usefixtures("kernel")
def test_a_run_needs_no_more_than_a_container_without_privileges_has(tmp_path: Path) -> None:
    before = contained("cat", "/proc/self/status")
    if before.returncode:
        pytest.skip(f"no user namespace can be made here: {before.stderr.strip()}; allow them, then again: pytest")
    assert set(re.findall(r"^Cap\w+:\s+(\w+)", before.stdout, re.MULTILINE)) == {"0" * 16}
    settings = ["lines=[{name: mobile, kind: mobile, tspu: true}]", "captures=[]", "recordings=[]"]
    settings.append("measurements=[{fetch: t.co, role: target, size: 60 kB}]")
    words = [word for setting in settings for word in ("--set", setting)]
    done = contained(sys.executable, "-m", "testbed.cli", "run", "2021-03-10", *words, "-o", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert "THROTTLED by t.co" in done.stdout


def test_what_an_image_is_made_of_is_there() -> None:
    copied = [word for _, instruction, rest in steps() if instruction == "COPY" for word in rest.split()[:-1]]
    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_the_kernels_layer_has_every_module_that_builds_it(tmp_path: Path) -> None:
    for stage, instruction, rest in steps():
        if (stage, instruction) == ("kernel", "COPY"):
            *sources, target = rest.split()
            for source in sources:
                place = tmp_path / target / Path(source).name if target.endswith("/") else tmp_path / target
                place.parent.mkdir(parents=True, exist_ok=True)
                whole = (ROOT / source).is_dir()
                (shutil.copytree if whole else shutil.copyfile)(ROOT / source, place)
    command = [sys.executable, "-S", "-B", "-m", "testbed.engine.kernel", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_of_the_containerfile_can_be_read_and_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [rest for _, instruction, rest in steps() if instruction == "RUN"]
    for command in commands:
        subprocess.run(["sh", "-n"], input=command, text=True, check=True)
    asked = re.findall(r"\bmake ([a-z-]+)(?= |$)", "\n".join(commands), re.MULTILINE)
    assert {"kernel", "setup"} <= set(asked) <= targets


def test_the_image_runs_as_a_user_and_editors_ask_for_no_privilege() -> None:
    users = {stage: rest for stage, instruction, rest in steps() if instruction == "USER"}
    assert [stage for stage, *_ in steps()][-1] == "testbed"
    assert users["testbed"] not in {"root", "0"}
    assert users[DEVCONTAINER["build"]["target"]] == DEVCONTAINER["remoteUser"]
    assert not {"runArgs", "privileged", "capAdd", "securityOpt"} & set(DEVCONTAINER)


def test_what_ci_calls_is_there() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    for command in commands:
        subprocess.run(["sh", "-n"], input=command, text=True, check=True)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = " ".join(re.findall(r"^make (.+)", "\n".join(commands), re.MULTILINE)).split()
    assert {"release-check", "reproduce"} <= set(asked) <= targets
    scripts = [word for command in commands for word in command.split() if word.startswith((".ci/", "tests/"))]
    assert scripts
    assert [script for script in scripts if not (ROOT / script).exists()] == []


def provision(folder: Path, machine: str) -> subprocess.CompletedProcess[str]:
    """Run what provisions the virtual machine, on a machine of some kind, in a tree that writes down what is called."""
    [script] = re.findall(r"^PROVISION = <<~SHELL\n(.*?)^SHELL$", VAGRANTFILE, re.MULTILINE | re.DOTALL)
    for name, text in {
        "bin/uname": f"echo {machine}", "bin/make": 'echo "make $*"', "setup/install-packages": 'echo "packages $*"'
    }.items():  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    variables = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TESTBED_TREE": str(folder), "TARGET": "setup-dev"}
    return subprocess.run(["sh"], input=script, env=variables, capture_output=True, text=True, check=False)


def test_a_virtual_machine_is_provisioned_by_makes_targets(tmp_path: Path) -> None:
    assert provision(tmp_path, "x86_64").stdout == "packages make\nmake setup-dev\n"


def test_a_virtual_machine_of_another_kind_is_told_so_before_anything_is_installed(tmp_path: Path) -> None:
    done = provision(tmp_path, "aarch64")
    assert (done.returncode, done.stdout) == (3, "")
    assert "aarch64" in done.stderr


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment in which some programs are these lines of shell."""
    folder.mkdir()
    for name, text in scripts.items():
        (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name.replace("_", "-")).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


KNOWN = 'echo "  Candidate: 1.0"'


@pytest.mark.parametrize("answer", ["true", 'echo "  Candidate: (none)"'], ids=["unknown", "only a name"])
@pytest.mark.parametrize(
    ("user", "packages", "said", "left_out"),
    [
        (1000, "chromium", "", True),  # no password is asked for what cannot be had
        (1000, "chromium tshark", "sudo setup/install-packages --if-known chromium tshark\n", False),
        (0, "chromium", "apt-get --quiet=2 update\n", True),
    ],
)
def test_packages_that_this_system_has_not_are_named_and_left_out(
    tmp_path: Path, answer: str, user: int, packages: str, said: str, *, left_out: bool
) -> None:
    here = programs(
        tmp_path / "bin", id=f"echo {user}", dpkg_query="exit 1", apt_get='echo "apt-get $*"', sudo='echo "sudo $*"',
        apt_cache=f'[ "$2" = chromium ] && {answer} || {KNOWN}',
    )  # fmt: skip
    command = ["setup/install-packages", "--if-known", *packages.split()]
    done = subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, said)
    assert ("left out: chromium" in done.stderr) is left_out


def test_a_python_that_is_too_old_is_named_before_anything_is_built(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    programs(tmp_path / "setup", install_packages="exit 0")
    python = tmp_path / "setup" / "python3.10"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    command = ["make", "kernel", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode
    assert f"{python} is no Python 3.11 or later" in done.stderr


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="vagrant is not here: apt-get install vagrant")
def test_vagrant_takes_the_vagrantfile(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Vagrantfile", tmp_path / "Vagrantfile")
    # A provider is a program of its own, which need not be here; the rest is checked without one.
    command = ["vagrant", "validate", "--ignore-provider"]
    variables = os.environ | {"VAGRANT_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
