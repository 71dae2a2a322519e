"""`inspect`: event by event, as text or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.program import status

if TYPE_CHECKING:
    import pytest

    from tests.cli.program import Call


def test_inspect_tells_event_by_event_as_text_or_as_json(capsys: pytest.CaptureFixture[str], json_run: Call) -> None:
    capture = str(json_run.folder / "captures" / "mobile-tspu-inside.pcapng")
    arguments = ["inspect", capture, "--profile", "ru-tw-2021a", "--inside", "100.64.0.0/10"]
    assert status(*arguments) == 0
    text = capsys.readouterr().out
    assert "throttling_started" in text
    assert text.splitlines()[-1].endswith("dropped")
    assert status(*arguments, "--json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"flow_opened", "rule_matched", "throttling_started"} <= {each["event"] for each in events}
