from __future__ import annotations

from typing import TYPE_CHECKING

from tests.middlebox.fuzz import main

if TYPE_CHECKING:
    import pytest


def test_twenty_thousand_mutated_packets_raise_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--packets", "20000", "--seed", "3"]) == 0
    assert "20000 packets" in capsys.readouterr().out
