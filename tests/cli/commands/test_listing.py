"""`list`: one name a line, or one JSON list."""

from __future__ import annotations

import json

import pytest

from tests.cli.program import status


@pytest.mark.parametrize("kind", ["scenarios", "topologies", "profiles", "detectors"])
def test_lists_are_one_name_a_line_and_one_json_list(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    assert status("list", kind) == 0
    lines = capsys.readouterr().out.splitlines()
    assert status("list", kind, "--json") == 0
    assert json.loads(capsys.readouterr().out) == lines != []
