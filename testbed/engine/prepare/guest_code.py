"""The code that runs in the guest, as files that are the same wherever the testbed is installed.

What a program does with its memory before it makes a key ends up in the key: OpenSSL takes a heap address as nonce. So
the guest's Python must load the same bytes in the same order whatever the paths are called, whether compiled modules
lie beside the sources, and how old those are. A file of modules holds compiled ones alone, with names instead of paths,
in a fixed order: the testbed's rooms of the guest's side, and all that they import from Mininet and Python's own
library. Another one has what starts before them and makes OpenSSL's generators (`testbed.guest.start`): the testbed's
own code is in no key.
A third one has the packages of HTTP/2 and HTTP/3: the guest looks into it where a scenario asks for them, so that no
other run depends on them.
Extension modules cannot be loaded from such a file and lie beside it.

    $XDG_CACHE_HOME/throttling-testbed/guest/<hash>/start.zip start.modules guest.modules  …
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import testbed
from testbed.engine.kernel.cache import cache_folder
from testbed.engine.prepare.origin_key import origin_key
from testbed.errors import MissingError

__all__ = ["DISTUTILS", "guest_code", "guest_code_digest", "guest_python", "package_folder", "require_cache"]

_ROOMS = ("guest", "middlebox", "netlink", "records", "traffic")
_MODULES = ("__init__.py", "errors.py", "quantities.py")
_PACKAGE = Path(testbed.__file__).resolve().parent
_HERE = Path(__file__).resolve().parent
_FOREIGN = ("mininet",)
# Packages of HTTP/2 and HTTP/3, with what these need. `_cffi_backend` is one extension module.
_PROTOCOLS = (
    "_cffi_backend", "aioquic", "attr", "certifi", "cryptography", "h2", "hpack", "hyperframe", "OpenSSL", "pylsqpack",
    "service_identity",
)  # fmt: skip
_RELEASED_AS = {"_cffi_backend": "cffi", "attr": "attrs", "OpenSSL": "pyopenssl"}
_PROTOCOLS_FOLDER = "protocols"
DISTUTILS = "stdlib" if sys.version_info < (3, 12) else "local"  # Mininet still imports it
_CHECKSUM = "sha256"


def guest_python() -> Path:
    """Return the interpreter below `sys.base_prefix`, relative to it; a virtual environment's own is a link to it."""
    program = Path(os.path.realpath(sys.executable))
    prefix = Path(os.path.realpath(sys.base_prefix))
    if not program.is_relative_to(prefix):
        raise MissingError(
            f"the interpreter {program} is not below its prefix {prefix}; run the testbed with an ordinary "
            "Python, such as /usr/bin/python3"
        )
    return program.relative_to(prefix)


def require_cache() -> None:
    """Check that the code is in the cache, or can be put there: before anything is made of a run.

    Raises:
        MissingError: It is not, and the cache cannot be written.
    """
    place = cache_folder().parent / "guest"
    nearest = next(folder for folder in (place, *place.parents) if folder.is_dir())
    if not os.access(nearest, os.W_OK) and not (place / guest_code_digest()).is_dir():
        raise MissingError(
            f"the guest's code cannot be kept in {place}: {nearest} cannot be written; "
            "name a folder that can be with: export XDG_CACHE_HOME=FOLDER"
        )


def guest_code() -> Path:
    """Return the folder with the code; made if it is not in the cache.

    Raises:
        MissingError: A package that the guest needs is not installed, or its code cannot be compiled.
        OSError: The cache cannot be written.
    """
    sources = _sources()
    folder = cache_folder().parent / "guest" / _digest(sources)
    if not _is_whole(folder):
        shutil.rmtree(folder, ignore_errors=True)  # half of one, or one that somebody changed: made anew as a whole
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as draft:
            _make(Path(draft))
            (Path(draft) / "origin.key").write_text(origin_key())
            (Path(draft) / _CHECKSUM).write_text(_checksum(Path(draft)))
            Path(draft).chmod(0o755)  # the guest may run as another user
            _move_into_place(Path(draft), folder)
    return folder


def guest_code_digest() -> str:
    """Return the name of the folder that `guest_code` makes, from what is in it, without looking whether it is there.

    Raises:
        MissingError: A package that the guest needs is not installed.
    """
    return _digest(_sources())


def _is_whole(folder: Path) -> bool:
    """Return whether the code in a folder of the cache is there as it was made."""
    try:
        return (folder / _CHECKSUM).read_text() == _checksum(folder)
    except OSError:
        return False


def _checksum(folder: Path) -> str:
    """Return one checksum of all files but the one that keeps it."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _CHECKSUM):
        name = path.relative_to(folder)
        # Of the packages that few runs have the size will do: every run would read many megabytes.
        found = str(path.stat().st_size).encode() if name.parts[0] == _PROTOCOLS_FOLDER else path.read_bytes()
        digest.update(f"{name}\0".encode() + found)
    return digest.hexdigest()


def _sources() -> dict[str, Path]:
    """Return every file of the guest's side, by the name that it has in the archive."""
    found = {f"testbed/{name}": _PACKAGE / name for name in _MODULES}
    for room in _ROOMS:
        found |= {f"testbed/{path.relative_to(_PACKAGE)}": path for path in sorted((_PACKAGE / room).rglob("*.py"))}
    return found | _packages(_FOREIGN)


def _packages(names: tuple[str, ...]) -> dict[str, Path]:
    """Return every file of some packages, by the name that it has in an archive."""
    found = {}
    for name in names:
        origin = _origin(name)
        if origin.name != "__init__.py":
            found[origin.name] = origin
            continue
        files = sorted(path for path in origin.parent.rglob("*") if path.suffix in {".py", ".so"})
        found |= {f"{name}/{path.relative_to(origin.parent)}": path for path in files}
    return found


def package_folder(name: str) -> Path:
    """Return the folder of an installed package; it is not imported, since that may take long.

    Raises:
        MissingError: It is not installed.
    """
    return _origin(name).parent


def _origin(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise MissingError(f"the Python package {name} is not installed; run: testbed doctor")
    return Path(spec.origin).resolve()


def _digest(sources: dict[str, Path]) -> str:
    # Compiled modules are another interpreter's too, if they are of another version.
    digest = hashlib.sha256(f"{sys.version} {sys.implementation.cache_tag}".encode())
    for program in ("guest_code.py", "guest_archive.py", "origin_key.py"):  # what makes the folder
        digest.update((_HERE / program).read_bytes())
    # Told by their releases: they are many megabytes, and few runs have them.
    digest.update("\0".join(map(_release, _PROTOCOLS)).encode())
    for name, path in sources.items():
        data = path.read_bytes()
        digest.update(f"\0{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


def _release(name: str) -> str:
    """Return a package and its version. Raises MissingError: it is not installed."""
    released_as = _RELEASED_AS.get(name, name)
    try:
        return f"{name} {importlib.metadata.version(released_as)}"
    except importlib.metadata.PackageNotFoundError:
        problem = f"the Python package {released_as} is not installed; run: testbed doctor"
        raise MissingError(problem) from None


def _make(folder: Path) -> None:
    """Run the sibling `guest_archive` in an interpreter of its own: what it compiles depends on no state of ours."""
    order = {
        "folder": str(folder),
        "paths": sorted({str(_PACKAGE.parent), *(str(package_folder(name).parent) for name in _FOREIGN)}),
        "sources": {name: str(path) for name, path in _sources().items()},
        "protocols": {name: str(path) for name, path in _packages(_PROTOCOLS).items()},
    }
    program = [
        sys.executable,
        "-S",
        "-s",
        "-B",
        "-W",
        "ignore",
        str(_HERE / "guest_archive.py"),
    ]
    environment = {"PYTHONHASHSEED": "0", "SETUPTOOLS_USE_DISTUTILS": DISTUTILS}
    result = subprocess.run(
        program, input=json.dumps(order), capture_output=True, text=True, check=False, env=environment
    )
    if result.returncode:
        raise MissingError(f"the guest's code cannot be compiled: {result.stderr.strip() or result.returncode}")


def _move_into_place(draft: Path, folder: Path) -> None:
    """Rename the finished folder; another run may have been quicker, and its folder is as good."""
    finished = draft.with_name(f"{draft.name}-finished")
    draft.rename(finished)
    draft.mkdir()  # what the temporary folder's own clean-up removes
    try:
        finished.rename(folder)
    except OSError:
        shutil.rmtree(finished)
        if not _is_whole(folder):
            raise
