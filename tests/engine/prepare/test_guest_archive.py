"""A package in an archive of the guest's hides the one in Python's library: it has to be there as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.engine.prepare.guest_archive import _whole_packages

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
