"""A registry finds what lies in its folder, also in an archive."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import testbed
from testbed.middlebox.actions import ACTIONS

PACKAGE = Path(testbed.__file__).parent


def test_a_kind_is_looked_up_by_name() -> None:
    assert ("throttle" in ACTIONS, "explode" in ACTIONS, ["throttle"] in ACTIONS) == (True, False, False)
    assert len(ACTIONS) == len(list(ACTIONS))
    assert ACTIONS["drop"].kind == "drop"


def test_what_is_no_mapping_is_no_kind() -> None:
    with pytest.raises(TypeError, match="expected a mapping with a kind, got 5"):
        ACTIONS.build(5)


def listed(code: Path) -> str:
    imports = "from testbed.middlebox.actions import ACTIONS; from testbed.middlebox.meters import METERS"
    program = f"{imports}; print(*ACTIONS, *METERS)"
    result = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(code)!r}); {program}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return result.stdout


def test_kinds_in_an_archive_are_found_in_the_same_order(tmp_path: Path) -> None:
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as file:
        # Backwards: the order of an archive must not be that of the kinds.
        for path in sorted(PACKAGE.rglob("*.py"), reverse=True):
            file.write(path, path.relative_to(PACKAGE.parent))
    assert listed(archive) == listed(PACKAGE.parent)


def test_a_module_is_called_as_its_kind(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as file:
        for path in PACKAGE.rglob("*.py"):
            file.write(path, path.relative_to(PACKAGE.parent))
        file.write(PACKAGE / "middlebox/actions/drop.py", "testbed/middlebox/actions/silence.py")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        listed(tmp_path / "code.zip")
    assert "silence has the kind 'drop'; a module is called as its kind" in caught.value.stderr
