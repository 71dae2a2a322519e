"""Puts the kernel into this distribution: hatchling calls it for the version, and when a wheel or an sdist is made.

The kernel is made by the testbed's own recipe and build (testbed/engine/kernel), from the Linux source that is
installed as a Debian package. An sdist has that recipe and build beside this file, and no binary.
SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.utils import get_reproducible_timestamp
from hatchling.metadata.plugin.interface import MetadataHookInterface

HERE = Path(__file__).resolve().parent
ROOT = next(place for place in (HERE, *HERE.parents) if (place / "testbed" / "engine" / "kernel").is_dir())
RECIPE = ROOT / "testbed" / "engine" / "kernel"
sys.path.insert(0, str(ROOT))

from testbed.engine.kernel.build import build_kernel  # noqa: E402 - it is found only now
from testbed.engine.kernel.recipe import load_recipe  # noqa: E402
from testbed.engine.kernel.source import KernelSource, require_source  # noqa: E402

if TYPE_CHECKING:
    from testbed.engine.kernel.cache import CachedKernel, StoredInfo

_PACKAGE = "throttling_testbed_kernel"
_LICENCES = ("COPYING", "LICENSES/preferred/GPL-2.0", "LICENSES/exceptions/Linux-syscall-note")
_MADE_BY = "made-by"
_FILES_A_LINE = 50
_LIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)\0")
_NOTICE = Template("""\
This is Linux $version for the architecture "um" (User-Mode Linux), a program that runs as an ordinary process.
It is free software under version 2 of the GNU General Public License, without any warranty; the licence is in COPYING,
GPL-2.0 and Linux-syscall-note, as they stand in the source.

The complete corresponding source is

    $archive    $size bytes
    SHA-256 $sha256
    of the Debian package $package

together with the configuration, the patches and the scripts that were used to make the program: they are beside this
file in $made_by/, and ready to be used in the source distribution of this package (throttling-testbed-kernel, version
$release) below testbed/engine/kernel.
The archive is offered beside every release of this package, and by Debian (https://snapshot.debian.org/).

Made by $compiler, by recipe $recipe (number $number).
The kernel's random numbers are predictable by design: it is for emulation only.
""")


class Metadata(MetadataHookInterface):
    """Says the version: the kernel's, and the number of the recipe that it was made by."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the version in; and the licence's text into the folder where it is looked for next."""
        source = require_source()
        _take_licences(source, HERE / "licences")
        metadata["version"] = f"{_kernel_version(source)}.post{_recipe_number()}"


class Contents(BuildHookInterface[Any]):
    """Makes the kernel, unless the cache has it, and says where its files go."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make what is to be packed."""
        if self.target_name != "wheel" or version == "editable":
            build_data["force_include"][str(HERE / "licences")] = "licences"
            return
        kernel = build_kernel(progress=_say)
        info = kernel.stored()
        if info is None:
            raise RuntimeError(f"the kernel in {kernel.folder} was changed by somebody")
        draft = HERE / "build"
        draft.mkdir(exist_ok=True)
        # When it was built differs between two that are equal otherwise.
        built = datetime.fromtimestamp(get_reproducible_timestamp(), UTC).isoformat(timespec="seconds")
        (draft / "info.json").write_text(json.dumps({**info, "built": built}, indent=2) + "\n")
        (draft / "NOTICE").write_text(_notice(info, require_source(), self.metadata.version))
        folder = f"{_PACKAGE}/{kernel.folder.name}"
        build_data["force_include"] |= {
            str(kernel.program): f"{folder}/linux",
            str(draft / "info.json"): f"{folder}/info.json",
            str(draft / "NOTICE"): f"{_PACKAGE}/NOTICE",
            **{str(path): f"{_PACKAGE}/{_MADE_BY}/{path.name}" for path in sorted(RECIPE.glob("*")) if path.is_file()},
        }
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform(kernel)}"


def _say(text: str) -> None:
    """Pass on what the build says, of the hundreds of files every fiftieth."""
    counted = re.match(r"compiling (\d+)/", text)
    if counted is None or int(counted[1]) % _FILES_A_LINE == 0:
        print(f"kernel: {text}", file=sys.stderr)


def _kernel_version(source: KernelSource) -> str:
    """Return the version of a packaged source, without what the distribution adds: ``6.12.117``."""
    found = re.match(r"\d+\.\d+\.\d+", source.package_version)
    if found is None:
        raise RuntimeError(
            f"the package of {source.archive} has the version {source.package_version!r}: of which Linux?"
        )
    return found[0]


def _recipe_number() -> int:
    """Return the number of this tree's recipe."""
    lines = [line.split() for line in (HERE / "recipes").read_text().splitlines() if line and not line.startswith("#")]
    numbers = {recipe: int(number) for number, recipe in lines}
    wanted = load_recipe().hash
    if wanted not in numbers:
        raise RuntimeError(f"the recipe {wanted} has no number; add a line to {HERE / 'recipes'}")
    return numbers[wanted]


def _platform(kernel: CachedKernel) -> str:
    """Return the platform tag: the oldest C library that has all that the program asks for (PEP 600)."""
    asked = [(int(major), int(minor)) for major, minor in _LIBC.findall(kernel.program.read_bytes())]
    major, minor = max(asked)
    return f"manylinux_{major}_{minor}_x86_64"


def _take_licences(source: KernelSource, folder: Path) -> None:
    """Take the licence's text out of the source: no copy of it is kept in this repository."""
    if all((folder / Path(name).name).exists() for name in _LICENCES):
        return
    folder.mkdir(exist_ok=True)
    names = [f"{source.folder_name}/{name}" for name in _LICENCES]
    command = [
        "tar",
        "--extract",
        "--xz",
        f"--file={source.archive}",
        f"--directory={folder}",
        "--occurrence=1",
        *names,
    ]
    subprocess.run(command, check=True)
    for name in names:
        (folder / name).rename(folder / Path(name).name)
    shutil.rmtree(folder / source.folder_name)


def _notice(info: StoredInfo, source: KernelSource, release: str) -> str:
    with source.archive.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return _NOTICE.substitute(
        version=info["version"], archive=source.archive.name, size=source.size_bytes, sha256=sha256,
        package=source.name, release=release, made_by=_MADE_BY, compiler=info["compiler"], recipe=info["recipe"],
        number=_recipe_number(),
    )  # fmt: skip
