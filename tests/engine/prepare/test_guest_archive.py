"""The guest's code: whole packages, for one of the guest's hides that of Python's library; and how it is written."""

from __future__ import annotations

import marshal
import sys
from types import CodeType
from typing import TYPE_CHECKING, Any

import pytest

from testbed.engine.prepare.guest_archive import _whole_packages, stored

if TYPE_CHECKING:
    from pathlib import Path


def test_a_package_is_there_with_all_of_its_modules_and_a_single_module_alone(tmp_path: Path) -> None:
    for name in ("mail/__init__.py", "mail/used.py", "mail/other.py", "mail/mime/__init__.py", "alone.py", "more.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    used = ["mail/__init__.py", "mail/used.py", "alone.py"]
    found = _whole_packages({f"within/{name}": str(tmp_path / name) for name in used})
    assert found == {
        f"within/{name}": str(tmp_path / name) for name in [*used, "mail/other.py", "mail/mime/__init__.py"]
    }


SOURCE = """
def cut(text, grid):
    return text[1:], text[-2:8:3], grid[1:2, 3:4], text[:0], b"in the place of", ((1, 2), frozenset({3}))
"""


def test_code_is_read_as_it_was_compiled_slices_among_its_constants_too() -> None:
    """From Python 3.14 on these slices are constants; before, instructions make them."""
    read = marshal.loads(stored(compile(SOURCE, "cut.py", "exec")))
    found: dict[str, Any] = {}
    exec(read, found)
    grid = type("Grid", (), {"__getitem__": lambda _, key: key})()
    parts = ("bcdefghij", "i"[:0], (slice(1, 2), slice(3, 4)), "", b"in the place of", ((1, 2), frozenset({3})))
    assert found["cut"]("abcdefghij", grid) == parts


def test_code_without_slices_is_written_as_ever() -> None:
    code = compile("def f(a):\n    return [(1, 2.5, 'x', None), a, b'y']\n", "f.py", "exec")
    assert stored(code) == marshal.dumps(code, 2)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="marshal reads slices from Python 3.14 on")
@pytest.mark.parametrize("constant", [slice(1, None), (slice(None, -1), ("a", slice(2.5, "b", (3,)))), slice(None)])
def test_a_slice_is_written_where_it_stood(constant: object) -> None:
    code = compile("def f():\n    return 0\n", "f.py", "exec")
    inner = next(each for each in code.co_consts if isinstance(each, CodeType))
    changed = code.replace(co_consts=(inner.replace(co_consts=(constant, 7)), *code.co_consts[1:]))
    read = marshal.loads(stored(changed))
    assert read == changed
    assert next(each for each in read.co_consts if isinstance(each, CodeType)).co_consts == (constant, 7)
