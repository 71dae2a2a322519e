"""Makes the guest's code: a program that `guest_code` runs in an interpreter of its own, with its order on stdin.

``start.zip`` has what Python itself starts with, ``start.modules`` what makes OpenSSL's generators, and nothing in them
depends on the testbed's code; ``guest.modules`` has the rest, but for ``protocols.modules``: packages of HTTP/2 and
HTTP/3, and what they need of Python's library beyond that. `testbed.guest.start` reads them.
Imports nothing of the testbed's but what it compiles. Not for: deciding what goes in, or where it is kept.
"""

from __future__ import annotations

import importlib
import json
import marshal
import os
import shutil
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP archive can say
_MARSHAL_VERSION = 2  # the last without references: later ones depend on what else the interpreter holds
_SLICE = b":"  # Python/marshal.c: TYPE_SLICE, then start, stop and step
_HEADER = MAGIC_NUMBER + bytes(12)  # neither hashed nor dated: there is no source beside it to compare with
_CODECS = ("ascii", "idna", "latin_1", "utf_8", "utf_16", "utf_32", "cp437")
_START = "testbed/guest/start.py"
_STARTS_WITH = "ssl"
_AGENT = "testbed.guest.agent"
_PROTOCOLS = "protocols"
_SUFFIX = ".modules"
_INDEX_BYTES = 8  # as testbed/guest/start.py
_NEEDS_PROTOCOLS = tuple(f"testbed.traffic.{end}_{http}" for http in ("http2", "http3") for end in ("fetch", "origin"))


def main() -> None:
    """Take the order from stdin and carry it out."""
    order = json.load(sys.stdin)
    folder = Path(order["folder"])
    sources: dict[str, str] = order["sources"]
    sys.path[:0] = order["paths"]
    first = _library(_STARTS_WITH, *(f"encodings.{codec}" for codec in _CODECS))
    codecs = {name: path for name, path in first.items() if name.startswith("encodings/")}
    _write_zip(folder / "start.zip", {**codecs, "start.py": sources[_START]})
    _write(folder / f"start{_SUFFIX}", {name: path for name, path in first.items() if name not in codecs})
    second = {**_library(_AGENT), **sources}
    # What the first has is loaded already when the second is opened, and likewise with the third.
    _put(folder, f"guest{_SUFFIX}", {name: path for name, path in second.items() if name not in first})
    before = {**first, **second}
    third = {name: path for name, path in _library(*_NEEDS_PROTOCOLS).items() if name not in before}
    third = {**_whole_packages(third), **order["protocols"]}
    _put(
        folder / _PROTOCOLS,
        f"{_PROTOCOLS}{_SUFFIX}",
        {name: path for name, path in third.items() if name not in before},
    )


def _put(folder: Path, file: str, sources: dict[str, str]) -> None:
    """Compile sources into a file of modules; packages that have extension modules lie beside it."""
    with_extensions = {name.split("/", 1)[0] for name in sources if name.endswith(".so")}
    compiled = {}
    folder.mkdir(exist_ok=True)
    for name, path in sources.items():
        top = name.split("/", 1)[0]
        if top not in with_extensions:
            compiled[name] = path
            continue
        target = (folder / name).with_suffix(".pyc" if name.endswith(".py") else Path(name).suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".py"):
            target.write_bytes(_compiled(name, path))
        else:
            _copy(path, target)
    _write(folder / file, compiled)


def _copy(path: str, target: Path) -> None:
    """Put a file there; it takes no room a second time where both folders are on one file system."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


def _write(file: Path, paths: dict[str, str]) -> None:
    """Compile sources into a file of modules, by their names as in an archive."""
    index, pieces, at = {}, [], 0
    for name in sorted(paths):  # the order is in the file's bytes, and a folder's own order is chance
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        code = _compiled(name, paths[name]).removeprefix(_HEADER)
        index[module] = (at, len(code), name.endswith("/__init__.py"))
        pieces.append(code)
        at += len(code)
    head = marshal.dumps(index, _MARSHAL_VERSION)
    file.write_bytes(b"".join((len(head).to_bytes(_INDEX_BYTES, "little"), head, *pieces)))


def _write_zip(archive: Path, paths: dict[str, str]) -> None:
    """Compile sources into an archive, by their names in it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(paths):
            file.writestr(zipfile.ZipInfo(name + "c", _EPOCH), _compiled(name, paths[name]))


def _library(*modules: str) -> dict[str, str]:
    """Sources of Python's library, and of packages beside the named ones, that some modules and all before import."""
    for each in modules:
        importlib.import_module(each)
    found = {}
    for name, module in sorted(sys.modules.items()):
        path = getattr(module, "__file__", None)
        spec = getattr(module, "__spec__", None)
        if path is None or spec is None or spec.name != name or not path.endswith(".py"):
            continue
        parts = name.replace(".", "/")
        found[f"{parts}/__init__.py" if path.endswith("__init__.py") else f"{parts}.py"] = path
    return {name: path for name, path in found.items() if not name.startswith("testbed/")}


def _whole_packages(sources: dict[str, str]) -> dict[str, str]:
    """Add the other modules of the packages among some sources.

    Python looks for the modules of a package where it found the package. One that had only what HTTP/3 needs of it
    would hide the rest from whatever else the guest loads: the origin's own server needs more of ``email``.
    """
    found = dict(sources)
    for name, path in sources.items():
        package, _, module = name.rpartition("/")
        if module == "__init__.py":
            folder = Path(path).parent
            found |= {f"{package}/{each.relative_to(folder)}": str(each) for each in folder.rglob("*.py")}
    return found


def _compiled(name: str, path: str) -> bytes:
    code = compile(Path(path).read_bytes(), name, "exec", dont_inherit=True, optimize=0)
    return _HEADER + stored(code)


def stored(code: CodeType) -> bytes:
    """Return code as `marshal.loads` reads it, the same bytes whatever else the interpreter holds.

    From Python 3.14 on slices may be constants, and only later versions of the format than ours write them. All
    versions are read alike, so the slices are put where others stand in for them.
    """
    slices: dict[bytes, bytes] = {}
    data = marshal.dumps(_with_stand_ins(code, slices), _MARSHAL_VERSION)
    for stand_in, written in slices.items():
        data = data.replace(marshal.dumps(stand_in, _MARSHAL_VERSION), written)
    return data


def _with_stand_ins(code: CodeType, slices: dict[bytes, bytes]) -> CodeType:
    """Return code with bytes in the place of slices, and add to these how each slice is written."""
    constants = _constants(code.co_consts, slices)
    return code if constants is code.co_consts else code.replace(co_consts=constants)


def _constants(held: tuple[object, ...], slices: dict[bytes, bytes]) -> tuple[object, ...]:
    changed = tuple(_constant(each, slices) for each in held)
    return held if all(new is old for new, old in zip(changed, held, strict=True)) else changed


def _constant(constant: object, slices: dict[bytes, bytes]) -> object:
    if isinstance(constant, CodeType):
        return _with_stand_ins(constant, slices)
    if isinstance(constant, tuple):
        return _constants(constant, slices)
    if not isinstance(constant, slice):
        return constant
    stand_in = f"in the place of {constant}".encode()
    parts = (constant.start, constant.stop, constant.step)
    slices[stand_in] = _SLICE + b"".join(marshal.dumps(part, _MARSHAL_VERSION) for part in parts)
    return stand_in


if __name__ == "__main__":
    main()
