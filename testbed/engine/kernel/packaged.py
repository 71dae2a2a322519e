"""The kernel as an installed Python package, `throttling-testbed-kernel`: found, looked at, and used or refused.

The package holds one folder as the cache does, named by the hash of what the kernel was made from. It is used where it
was made by this testbed's recipe for this machine; any other one is named, with the reason. Not for: making the package
(packages/kernel).
"""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import dataclass
from pathlib import Path

from testbed.engine.kernel.cache import CachedKernel

__all__ = ["DISTRIBUTION", "PackagedKernel", "architecture_of", "packaged_kernel"]

DISTRIBUTION = "throttling-testbed-kernel"
_PACKAGE = "throttling_testbed_kernel"
_AGAIN = f"pip install --force-reinstall --no-deps WHEEL, with the {DISTRIBUTION} of this release"
# The machines that packages of binaries are made for, by their number in an ELF header (elf.h, EM_*).
_MACHINES = {3: "i686", 22: "s390x", 21: "ppc64le", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_MAGIC = b"\x7fELF"
_MACHINE_AT, _HEADER_BYTES = 18, 20


@dataclass(frozen=True, slots=True)
class PackagedKernel:
    """An installed package with a kernel.

    Args:
        kernel: What it holds; None: nothing that looks like a kernel.
        problem: Why it is not used, with what to do; empty: it is.
    """

    kernel: CachedKernel | None
    problem: str


def packaged_kernel(recipe_hash: str, *, in_full: bool = True) -> PackagedKernel | None:
    """Return the installed package; None: there is none.

    Args:
        recipe_hash: Of the recipe that its kernel has to be made by.
        in_full: Whether its checksum is looked at: that takes a while, and is of no use where another kernel is run.
    """
    folder = _package_folder()
    if folder is None:
        return None
    kernels = [CachedKernel(info.parent) for info in sorted(folder.glob("*/info.json"))]
    if not kernels:
        return PackagedKernel(None, f"the package in {folder} holds no kernel; mend it with: {_AGAIN}")
    # Of several, which an installation that was cut short may leave, the first that can be used.
    found = [PackagedKernel(each, _problem(each, recipe_hash, in_full=in_full)) for each in kernels]
    return next((each for each in found if not each.problem), found[0])


def architecture_of(program: Path) -> str:
    """Return the machine that a program was compiled for, as ``uname -m`` says it; empty: it is no ELF program.

    Raises:
        OSError: It cannot be read.
    """
    if not program.is_file() and program.exists():  # a FIFO would be waited for
        return ""
    with program.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        return ""
    number = int.from_bytes(header[_MACHINE_AT:_HEADER_BYTES], "little")
    return _MACHINES.get(number, f"machine {number}")


def _package_folder() -> Path | None:
    try:
        spec = importlib.util.find_spec(_PACKAGE)
    except ValueError:  # somebody has put a module of that name there that was not imported from anywhere
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _problem(kernel: CachedKernel, recipe_hash: str, *, in_full: bool) -> str:
    """Say why a package's kernel cannot be used; what is wrong with the choice comes before what is wrong with it."""
    info = kernel.described()
    if info is None:
        return f"the kernel in {kernel.folder} has no description; mend it with: {_AGAIN}"
    if info["recipe"] != recipe_hash:
        return (
            f"the package in {kernel.folder.parent} is of recipe {info['recipe']}, this testbed's is {recipe_hash}; "
            "install the wheels of one release together: pip install TESTBED.whl KERNEL.whl"
        )
    try:
        architecture = architecture_of(kernel.program)
    except OSError as error:
        return f"the kernel in {kernel.folder} cannot be read ({error.strerror}); mend it with: {_AGAIN}"
    if architecture != platform.machine():
        what = f"for {architecture}" if architecture else "no program"
        return f"the kernel in {kernel.folder} is {what}, this machine is {platform.machine()}; mend it with: {_AGAIN}"
    damage = kernel.damage() if in_full else ""
    return f"the kernel in {kernel.folder} is of no use: {damage}; mend it with: {_AGAIN}" if damage else ""
