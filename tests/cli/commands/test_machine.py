"""`kernel` and `doctor`: what is there, what is missing, and how they end."""

from __future__ import annotations

import json
import platform
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.doctor import Check
from tests.cli.program import status

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("ok", "required", "expected"), [(True, True, 0), (False, False, 0), (False, True, 3)])
def test_doctor_ends_with_status_3_if_something_required_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, ok: bool, required: bool, expected: int
) -> None:
    check = Check("nft", ok=ok, found="not found", remedy="sudo apt-get install nftables", required=required)
    monkeypatch.setattr("testbed.doctor.diagnose", lambda: [check])
    assert status("doctor") == expected
    assert "nft" in capsys.readouterr().out
    assert status("doctor", "--json") == expected
    assert json.loads(capsys.readouterr().out) == [
        {"name": "nft", "ok": ok, "found": "not found", "remedy": "sudo apt-get install nftables", "required": required}
    ]


def test_kernel_info_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("kernel", "info", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {
        "path", "hash", "version", "source", "size_bytes", "built", "options",
    }  # fmt: skip


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_where_no_guest_runs_the_doctor_says_so_and_what_works(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setitem(sys.modules, "testbed.doctor", None)  # it cannot be loaded there
    assert status("doctor", *words) == 3
    said = capsys.readouterr().err
    assert "labs 1 2 3 6 from a pack" in said
    assert "here is Darwin arm64" in said


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_a_line_for_a_class_is_printed_and_added_to_a_file(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert status("doctor", "--class", form, "--name", "ann", "-o", str(tmp_path / "class")) == 0
    assert "ann" in capsys.readouterr().out
    assert (tmp_path / "class").read_text().count("ann") == 2
    assert status("doctor", form, "--name", "ann") == 2
    assert status("doctor", "--class", "--csv", "--json") == 2
