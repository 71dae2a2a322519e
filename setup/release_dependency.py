"""Makes a wheel of the testbed depend on the wheel of its kernel, where `make wheel` makes both.

Only there: the kernel's package has to be where pip looks before anything can depend on it, and an installation from
the sources (`pip install .`) would fail without. hatchling calls this for every wheel; TESTBED_KERNEL_VERSION switches
it on. The same wheels bring the man page along, which pip and pipx put where man looks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelDependency(BuildHookInterface[Any]):
    """Adds the requirement, for the one platform that the kernel is made for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add it if the environment names a version."""
        kernel = os.environ.get("TESTBED_KERNEL_VERSION")
        if kernel and version != "editable":
            marker = "sys_platform == 'linux' and platform_machine == 'x86_64'"
            build_data["dependencies"].append(f"throttling-testbed-kernel=={kernel}; {marker}")
            page = Path(self.root, "build/site/man/testbed.1")
            if page.exists():  # not where the wheel is made of the source distribution, which has none
                build_data["shared_data"][str(page)] = "share/man/man1/testbed.1"
