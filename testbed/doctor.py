"""What this machine has of all that the testbed needs, and the command that mends each thing it lacks.

Not for: mending anything, or stopping a command that lacks something: each part checks what it needs when it needs it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.confine import landlock_version
from testbed.engine.guest import MEMORY_MIB
from testbed.engine.kernel import kernel_info
from testbed.engine.kernel.build import TOOL_PACKAGES
from testbed.engine.kernel.source import find_source
from testbed.engine.programs import GUEST_PATH, GUEST_PROGRAM_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Check", "diagnose", "format_checks"]

GUEST_MEMORY_BYTES = MEMORY_MIB * 2**20
MIN_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the testbed needs.

    Args:
        name: what it is.
        ok: whether this machine has it.
        found: what was found: a version, a path, a number; or what is wrong.
        remedy: the command that mends it; empty where it is ok, or where no command can.
        required: whether runs fail without it.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    required: bool = True


def diagnose() -> list[Check]:
    """Check everything, in the order in which it is to be mended."""
    kernel = check_kernel()
    return [
        check_architecture(platform.system(), platform.machine()),
        check_python(sys.version_info[:3]),
        *check_packages(),
        *(check_program(name, package, path=GUEST_PATH) for name, package in GUEST_PROGRAM_PACKAGES.items()),
        *(check_program(name, package, required=not kernel.ok) for name, package in TOOL_PACKAGES.items()),
        check_source(required=not kernel.ok),
        kernel,
        check_ptrace(),
        check_landlock(landlock_version()),
        check_memory(memory_folders()),
    ]


def format_checks(checks: Sequence[Check]) -> str:
    """Lay the checks out as a table for people: verdict, name, what was found, and what mends it."""
    width = max((len(check.name) for check in checks), default=0)
    lines = [f"{_verdict(check):8} {check.name:{width}}  {check.found}{_advice(check)}" for check in checks]
    missing = sum(check.required and not check.ok for check in checks)
    lines.append(f"{missing} missing" if missing else "everything is there")
    return "\n".join(lines)


def check_architecture(system: str, machine: str) -> Check:
    """The kernel runs on x86-64 Linux only."""
    return Check("machine", (system, machine) == ("Linux", "x86_64"), f"{system} {machine}")


def check_python(version: tuple[int, int, int]) -> Check:
    """Python itself."""
    return Check(
        "python", version >= MIN_PYTHON, ".".join(map(str, version)), _unless(version >= MIN_PYTHON, _apt("python3"))
    )


def check_packages() -> list[Check]:
    """The Python packages that pyproject.toml names, and the one among them that needs a library of the system's."""
    try:
        requirements = importlib.metadata.requires("throttling-testbed") or []
    except importlib.metadata.PackageNotFoundError:
        return [Check("throttling-testbed", ok=False, found="not installed", remedy="pip install --editable .")]
    names = [re.split(r"[\s<>=!~;\[(]", text, maxsplit=1)[0] for text in requirements if "extra ==" not in text]
    return [check_package(name) for name in names]


def check_package(name: str) -> Check:
    """One Python package, by the name it is installed under."""
    try:
        version = importlib.metadata.version(name)
        if name.lower() == "netfilterqueue":
            importlib.import_module("netfilterqueue")
    except importlib.metadata.PackageNotFoundError:
        return Check(name, ok=False, found="not installed", remedy=f"pip install {name}")
    except ImportError as error:
        return Check(name, ok=False, found=str(error), remedy=_apt("libnetfilter-queue1"))
    return Check(name, ok=True, found=version)


def check_program(name: str, package: str, *, path: str | None = None, required: bool = True) -> Check:
    """One program, in the folders of ``path`` or else of the user's."""
    found = shutil.which(name, path=path)
    return Check(name, found is not None, found or "not found", _unless(found, _apt(package)), required)


def check_source(*, required: bool) -> Check:
    """The Linux source that the kernel is compiled from; of no use once it is."""
    source = find_source()
    return Check(
        "linux source",
        source is not None,
        source.name if source else "not found",
        _unless(source, _apt("linux-source-6.12")),
        required,
    )


def check_kernel() -> Check:
    """The kernel itself."""
    kernel = kernel_info()
    found = f"{kernel.version}, {kernel.path}" if kernel.path else "not built"
    return Check("kernel", kernel.path is not None, found, _unless(kernel.path, "testbed kernel build"))


def check_ptrace() -> Check:
    """The kernel runs the guest's programs under ptrace, which some containers forbid: try it."""
    attempt = "import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)"
    allowed = subprocess.run([sys.executable, "-I", "-c", attempt], capture_output=True, check=False).returncode == 0
    remedy = "sudo sysctl kernel.yama.ptrace_scope=1 (in a container: start it with --cap-add=SYS_PTRACE)"
    return Check("ptrace", allowed, "allowed" if allowed else "forbidden", _unless(allowed, remedy))


def check_landlock(version: int) -> Check:
    """The machine's own kernel can keep the guest from writing outside the run directory."""
    found = f"version {version}" if version else "not in this machine's kernel"
    return Check("landlock", version > 0, found, required=False)


def memory_folders() -> list[Path]:
    """Folders in which the guest's memory may lie, in the order in which the engine tries them."""
    return [Path("/dev/shm"), Path(tempfile.gettempdir())]  # noqa: S108


def check_memory(folders: Iterable[Path]) -> Check:
    """A folder with room for the guest's memory, from which it may execute (a mount with noexec would stop it)."""
    refused = []
    for folder in folders:
        if reason := _memory_refusal(folder):
            refused.append(f"{folder} {reason}")
        else:
            return Check("guest memory", ok=True, found=str(folder))
    remedy = f"export TMPDIR=FOLDER, with {GUEST_MEMORY_BYTES // 2**20} MB free and not mounted noexec"
    return Check("guest memory", ok=False, found="; ".join(refused), remedy=remedy)


def _memory_refusal(folder: Path) -> str:
    """Why the guest's memory cannot lie in a folder; empty where it can."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return "cannot be written"
    status = os.statvfs(folder)
    if status.f_flag & os.ST_NOEXEC:
        return "is mounted noexec"
    free = status.f_bavail * status.f_frsize
    return "" if free >= GUEST_MEMORY_BYTES else f"has {free // 2**20} MB free"


def _verdict(check: Check) -> str:
    if check.ok:
        return "ok"
    return "MISSING" if check.required else "absent"


def _advice(check: Check) -> str:
    if check.ok:
        return ""
    if not check.required:
        return " (runs do without it)"
    return f"; mend with: {check.remedy}" if check.remedy else ""


def _apt(packages: str) -> str:
    return f"sudo apt-get install {packages}"


def _unless(ok: object, remedy: str) -> str:
    return "" if ok else remedy
