"""One line for each laptop of a class, whatever it is."""

from __future__ import annotations

import csv
import json
import platform
from typing import TYPE_CHECKING

import pytest

from testbed import doctor
from testbed.engine.prepare.environment import Check
from testbed.errors import InputError
from testbed.labs.laptop import append_line, as_csv, as_text, this_laptop

if TYPE_CHECKING:
    from pathlib import Path


def given(monkeypatch: pytest.MonkeyPatch, *checks: Check, system: str = "Linux", machine: str = "x86_64") -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(doctor, "diagnose", lambda: list(checks))


KERNEL = Check("kernel", ok=True, found="6.12")
NO_KERNEL = Check("kernel", ok=False, found="not built")
LANDLOCK = Check("landlock", ok=False, found="", required=False)
NGINX = Check("nginx", ok=False, found="not found")


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ([KERNEL, LANDLOCK], ("yes", "built", "1 2 3 4 5 6", "testbed lab start 1")),
        ([NO_KERNEL], ("the kernel is not built", "not built", "", "testbed kernel build")),
        ([KERNEL, NGINX], ("nginx: not found", "built", "", "testbed doctor")),
        ([NO_KERNEL, NGINX], ("nginx: not found; the kernel is not built", "not built", "", "testbed doctor")),
    ],
)  # fmt: skip
def test_a_linux_laptop(monkeypatch: pytest.MonkeyPatch, checks: list[Check], told: tuple[str, ...]) -> None:
    given(monkeypatch, *checks)
    found = this_laptop("ann's")
    assert (found.name, found.guest, found.kernel, found.labs, found.todo) == ("ann's", *told)


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Windows", "AMD64"), ("Linux", "aarch64")])
def test_a_laptop_on_which_no_guest_runs(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    given(monkeypatch, system=system, machine=machine)
    found = this_laptop("")
    assert found.guest == f"no guest runs on {system} {machine}, but on Linux x86_64 alone"
    assert (found.kernel, found.labs, found.labs_with_pack) == ("none", "", "1 2 3 6")
    assert found.todo == "testbed lab start 1 --from labs.zip"
    assert "labs 1 2 3 6 from a pack" in as_text(found)


def test_lines_of_many_laptops_are_one_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, KERNEL)
    path = tmp_path / "class.csv"
    for name in ("ann", "=1+1", "b,c\nd"):
        append_line(path, this_laptop(name), "csv")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["name"] for row in rows] == ["ann", "'=1+1", "b,c\\nd"]
    assert as_csv(this_laptop("x"), with_head=False).count("\n") == 1
    lines = tmp_path / "class.jsonl"
    for name in ("ann", "bob"):
        append_line(lines, this_laptop(name), "json")
    assert [json.loads(line)["name"] for line in lines.read_text().splitlines()] == ["ann", "bob"]
    append_line(tmp_path / "class.txt", this_laptop("ann"), "text")
    assert (tmp_path / "class.txt").read_text().count("\n") == 1


def test_a_file_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, KERNEL)
    with pytest.raises(InputError, match="choose another file with -o"):
        append_line(tmp_path / "no" / "class.csv", this_laptop("x"), "csv")
