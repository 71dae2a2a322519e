"""What this machine has of all that the testbed needs, and the command that mends each thing it lacks.

Not for: mending anything, or stopping a command that lacks something: each part checks what it needs when it needs it.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
from typing import TYPE_CHECKING

from testbed.engine.kernel import kernel_info
from testbed.engine.kernel.build import TOOL_PACKAGES
from testbed.engine.kernel.packaged import DISTRIBUTION
from testbed.engine.kernel.source import find_source
from testbed.engine.prepare.distribution import installation, this_distribution
from testbed.engine.prepare.environment import Check, environment_checks
from testbed.engine.prepare.programs import GUEST_PATH, GUEST_PROGRAMS, is_too_old
from testbed.engine.uml.confine import landlock_version

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Check", "diagnose", "format_checks"]

MIN_PYTHON = (3, 11)
_KERNEL_IS_THERE = "the kernel is built"
_NO_SOURCE = "the kernel is compiled on Debian"
_WHEEL = "the wheel throttling-testbed-kernel, which a release has and `make wheel` makes on Debian: pip install WHEEL"
_SOURCE = "apt-get install linux-source-6.12, on Debian 12 and 13; elsewhere the kernel comes as a wheel"


def diagnose() -> list[Check]:
    """Check everything, in the order in which it is to be mended."""
    kernel = check_kernel()
    # The Linux source is a package of Debian's: on another distribution nobody can compile, and nobody need.
    why_no_tools = _KERNEL_IS_THERE if kernel.ok else "" if _is_like_debian() else _NO_SOURCE
    return [
        check_python(sys.version_info[:3]),
        *check_packages(),
        *(check_program(name, path=GUEST_PATH, dispensable=why) for name, why in GUEST_PROGRAMS.items()),
        *(check_program(name, dispensable=why_no_tools) for name in TOOL_PACKAGES),
        check_source(required=not why_no_tools),
        kernel,
        *check_kernel_package(required=not kernel.ok),
        *environment_checks(),
        check_landlock(landlock_version()),
        *check_native(),
    ]


def format_checks(checks: Sequence[Check]) -> str:
    """Lay the checks out as a table for people: verdict, name, what was found, and what mends it.

    Last comes the one line that installs all programs that are missing.
    """
    width = max((len(check.name) for check in checks), default=0)
    lines = [f"{_verdict(check):8} {check.name:{width}}  {check.found}{_advice(check)}" for check in checks]
    missing = [check for check in checks if check.required and not check.ok]
    if programs := [check.program for check in missing if check.program]:
        lines.append(f"what is missing comes with: {installation(programs)}")
    absent = [check.program for check in checks if not check.ok and not check.required]
    if programs := [name for name in absent if name in GUEST_PROGRAMS]:
        lines.append(f"what runs do without comes with: {installation(programs)}")
    lines.append(f"{len(missing)} missing" if missing else "everything is there")
    return "\n".join(lines)


def check_python(version: tuple[int, int, int]) -> Check:
    """Python itself."""
    return Check(
        "python",
        version >= MIN_PYTHON,
        ".".join(map(str, version)),
        _unless(version >= MIN_PYTHON, installation(["python3"])),
    )


def check_packages() -> list[Check]:
    """The Python packages that pyproject.toml names."""
    try:
        requirements = importlib.metadata.requires("throttling-testbed") or []
    except importlib.metadata.PackageNotFoundError:
        return [Check("throttling-testbed", ok=False, found="not installed", remedy="pip install --editable .")]
    asked = [text for text in requirements if "extra ==" not in text]
    if sys.platform != "linux":
        asked = [text for text in asked if "sys_platform" not in text]
    names = [re.split(r"[\s<>=!~;\[(]", text, maxsplit=1)[0] for text in asked]
    return [check_package(name) for name in names]


def check_package(name: str) -> Check:
    """Check one Python package, by the name it is installed under."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        # Not by its name, which is on no index yet: whatever somebody else puts there is not ours.
        remedy = _WHEEL if name == DISTRIBUTION else f"pip install {name}"
        return Check(name, ok=False, found="not installed", remedy=remedy)
    return Check(name, ok=True, found=version)


def check_program(name: str, *, path: str | None = None, dispensable: str = "") -> Check:
    """Check one program, in the folders of ``path`` or else of the user's.

    Args:
        name: Of the program.
        path: Folders.
        dispensable: Why runs do without it; empty: they do not.
    """
    found = shutil.which(name, path=path)
    usable = None if found is not None and is_too_old(found) else found
    lacking = f"{found} is too old" if found else "not found"
    what = usable or (lacking + (f": {dispensable}" if dispensable else ""))
    remedy = _unless(usable, installation([name]))
    return Check(name, usable is not None, what, remedy, required=not dispensable, program=name)


def check_source(*, required: bool) -> Check:
    """Check for the Linux source that the kernel is compiled from; of no use once it is."""
    source = find_source()
    return Check(
        "linux source",
        source is not None,
        source.name if source else "not found",
        _unless(source or not required, _SOURCE),
        required,
    )


def check_kernel() -> Check:
    """Check for the kernel itself."""
    kernel = kernel_info()
    found = f"{kernel.version}, {kernel.path}" if kernel.path else kernel.damage and f"damaged: {kernel.damage}"
    remedy = "testbed kernel build" if _is_like_debian() else _WHEEL
    return Check("kernel", kernel.path is not None, found or "not there", _unless(kernel.path, remedy))


def check_kernel_package(*, required: bool) -> list[Check]:
    """Check an installed package with a kernel, if there is one that is not used."""
    unused = kernel_info().unused_package
    return [Check("kernel package", ok=False, found=f"not used: {unused}", required=required)] if unused else []


def check_landlock(version: int) -> Check:
    """Check whether the machine's own kernel can keep the guest from writing outside the run directory."""
    found = f"version {version}" if version else "not in this machine's kernel"
    return Check("landlock", version > 0, found, required=False)


def check_native() -> list[Check]:
    """Check whether the engine on this machine's own kernel could run: it is never needed where another can."""
    if platform.system() != "Linux":
        return []
    from testbed.engine.native.probe import native_checks  # noqa: PLC0415 - what it tries is of Linux alone

    problem = next((check for check in native_checks() if not check.ok), None)
    found = "this machine's kernel has what it needs" if problem is None else f"{problem.name}: {problem.found}"
    return [Check("engine native", problem is None, found, problem.remedy if problem else "", required=False)]


def _is_like_debian() -> bool:
    distribution = this_distribution()
    return distribution is None or distribution.name == "debian"


def _verdict(check: Check) -> str:
    if check.ok:
        return "ok"
    return "MISSING" if check.required else "absent"


def _advice(check: Check) -> str:
    if check.ok:
        return ""
    if not check.required:  # programs come with one line for all of them, at the end
        remedy = f"; to have it: {check.remedy}" if check.remedy and not check.program else ""
        return f" (runs do without it{remedy})"
    return f"; mend with: {check.remedy}" if check.remedy else ""


def _unless(ok: object, remedy: str) -> str:
    return "" if ok else remedy
