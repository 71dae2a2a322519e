"""`conformance`: the table as Markdown, in a file or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.program import status

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_conformance_table_that_cannot_be_written_is_an_error_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("testbed.conformance.run", lambda *_: [])
    assert status("conformance", "-o", str(tmp_path / "no" / "table.md")) == 2
    assert "table.md: No such file or directory; choose another file with -o" in capsys.readouterr().err
