"""`kernel` and `doctor`: what is there, what is missing, and how they end."""

from __future__ import annotations

import json

import pytest

from testbed.doctor import Check
from tests.cli.program import status


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
