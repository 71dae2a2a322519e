"""How far a kernel build is, read from what make prints.

Not for: showing it, which the caller does.
"""

from __future__ import annotations

import re

__all__ = ["CompileProgress"]

# "  CC      net/ipv4/tcp.o", "  AS      arch/x86/um/stub_64.o"; HOSTCC and the like do not count.
_COMPILED = re.compile(r"\s+(?:CC|AS)\s+\S+\.[os]\n?")


class CompileProgress:
    """Counts compiled files.

    Args:
        expected: How many there will be, as far as is known.
    """

    def __init__(self, *, expected: int) -> None:
        self._expected = expected
        self.compiled = 0

    def advance(self, line: str) -> bool:
        """Take in a line that make printed; tells whether it says that one more file is compiled."""
        if not _COMPILED.fullmatch(line):
            return False
        self.compiled += 1
        return True

    def __str__(self) -> str:
        return f"compiling {self.compiled}/{max(self._expected, self.compiled)} files"
