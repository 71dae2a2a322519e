"""What the kernel is made of: the options asked for, the patches, the make goals, and the hash that names the result.

Not for: finding the source (source.py) or running anything (build.py).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

__all__ = ["CONFIGURE", "IDENTITY", "LINK", "Recipe", "load_recipe", "untaken_options"]

# Goals given to make. allnoconfig leaves off whatever the configuration does not name; `linux` is the finished program.
CONFIGURE = ("ARCH=um", "allnoconfig")
# Diagnostics need not point inside macros: that alone costs a tenth of the compile time.
LINK = ("ARCH=um", "KCFLAGS=-ftrack-macro-expansion=0", "linux")

# What the kernel says about its own making (uname -v), held fixed so that two builds of one recipe are the same.
IDENTITY = {
    "KBUILD_BUILD_HOST": "testbed",
    "KBUILD_BUILD_TIMESTAMP": "Wed Mar 10 00:00:00 UTC 2021",
    "KBUILD_BUILD_USER": "testbed",
    "KBUILD_BUILD_VERSION": "1",
}

_OPTION = re.compile(r"^(CONFIG_\w+)=(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything of ours that decides what the kernel becomes.

    Args:
        config: Text of the configuration, one ``CONFIG_X=value`` a line, comments allowed.
        patches: Name and text of each patch, in the order in which they are applied.
    """

    config: str
    patches: tuple[tuple[str, str], ...]

    @property
    def options(self) -> dict[str, str]:
        """Value of each option asked for."""
        return dict(_OPTION.findall(self.config))

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits: which recipe this is, whatever source it is applied to."""
        return self.hash_with("")

    def hash_with(self, source: str) -> str:
        """Sixteen hexadecimal digits that name the kernel made by this recipe from a source.

        Comments of the configuration and of the patches do not count: rewording one is no reason to compile again.
        """
        parts = [source, *(f"{option}={value}" for option, value in sorted(self.options.items()))]
        parts += [text[text.index("--- a/") :] for _, text in self.patches]
        parts += [*CONFIGURE, *LINK, *(f"{name}={value}" for name, value in sorted(IDENTITY.items()))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def load_recipe() -> Recipe:
    """Read the configuration and the patches that stand beside this module."""
    folder = resources.files(__package__)
    patches = sorted((file.name, file.read_text()) for file in folder.iterdir() if file.name.endswith(".patch"))
    return Recipe(config=(folder / "config").read_text(), patches=tuple(patches))


def untaken_options(wanted: dict[str, str], dot_config: str) -> list[str]:
    """List the options that the kernel's configuration did not take, as ``CONFIG_X=value``.

    Args:
        wanted: Value of each option asked for.
        dot_config: Text of the ``.config`` that the kernel's own tools made of it.
    """
    taken = dict(_OPTION.findall(dot_config))
    return [f"{option}={value}" for option, value in wanted.items() if taken.get(option) != value]
