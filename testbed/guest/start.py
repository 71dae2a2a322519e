"""The guest's first Python program: it finds modules, makes OpenSSL's random generators, then hands over to the agent.

OpenSSL takes the addresses of its generators as nonces, so what a program has done with its memory before that is in
every key that it makes later. Here nothing has been done yet but starting Python itself: the keys of a run, and with
them the bytes of its captures, depend on no line of the testbed's own code. This file, and all that it
imports, is in files of its own (`testbed.engine.prepare.guest_archive`). A process that is forked later mixes
fresh entropy in.
"""

from __future__ import annotations

import marshal
import os
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from types import CodeType, ModuleType
else:
    Loader = object  # the class itself would have to be found first

__all__ = ["INDEX_BYTES", "StoredModules", "main"]

INDEX_BYTES = 8
"""At the start of a file of modules: how long the index is that follows."""

_CODE = "/run/testbed/code"
_PLACES = (_CODE, "/run/testbed/site")  # as guest/boot.fstab
_AFTER_BUILT_IN = 2  # Python's own finders of modules that are a part of it come first


class StoredModules(Loader):
    """A finder and loader of the compiled modules of one file (`testbed.engine.prepare.guest_archive` writes it).

    An archive in ZIP's format would do, but Python asks it ten times for each module, and the guest has hundreds: of
    this one a module is one read.

    Args:
        path: The file: the length of its index, the index (name to offset, length, and whether it is a package), code.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        length = int.from_bytes(os.pread(self._file, INDEX_BYTES, 0), "little")
        self._index: dict[str, tuple[int, int, bool]] = marshal.loads(os.pread(self._file, length, INDEX_BYTES))
        self._begin = INDEX_BYTES + length

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Return where a module is; None: not here."""
        del path, target
        if name not in self._index:
            return None
        is_package = self._index[name][2]
        spec = ModuleSpec(name, self, origin=name, is_package=is_package)
        if is_package:
            # What few need of a package of Python's library is where the library is.
            spec.submodule_search_locations = [f"{os.__file__.rpartition('/')[0]}/{name.replace('.', '/')}"]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python to make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> CodeType:
        """Return the code of a module that is here."""
        begin, length, _ = self._index[name]
        code: CodeType = marshal.loads(os.pread(self._file, length, self._begin + begin))
        return code


def make_generators() -> None:
    """Begin a handshake that leads nowhere: a hello takes bytes of the public generator and of the private one."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    session = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="nobody.invalid")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return
    raise AssertionError("a handshake with nobody was completed")


def main() -> None:
    """Let modules be found, make the generators, let the testbed's own modules be found, and run the agent."""
    sys.meta_path.insert(_AFTER_BUILT_IN, StoredModules(f"{_CODE}/start.modules"))
    make_generators()
    sys.meta_path.insert(_AFTER_BUILT_IN + 1, StoredModules(f"{_CODE}/guest.modules"))
    sys.path[0:1] = [*_PLACES]
    from testbed.guest.load import main as agent

    agent()


if __name__ == "__main__":
    main()
