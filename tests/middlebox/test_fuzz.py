from __future__ import annotations

from typing import TYPE_CHECKING

from tests.middlebox.fuzz import main

if TYPE_CHECKING:
    import pytest


def test_twenty_thousand_mutated_packets_raise_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--packets", "20000", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    sent, events = (int(printed.split()[index]) for index in (0, 2))
    assert sent >= 20_000
    assert events > sent / 10  # boxes that do nothing find nothing
