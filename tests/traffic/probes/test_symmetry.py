from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.traffic.probes.symmetry import Symmetry
from tests.traffic.probes.box import calibrated, on_any_hello

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("minds_the_opener", "expected"), [(True, [True, True, False, False]), (False, [True] * 4)])
def test_the_four_cases_are_opener_by_sender(tmp_path: Path, *, minds_the_opener: bool, expected: list[bool]) -> None:
    trials = calibrated(
        tmp_path,
        lambda talk, passage: on_any_hello(talk, passage) and (passage.opens == "near" or not minds_the_opener),
    )
    cases = Symmetry().run(trials)["cases"]
    assert [(each["opened_from"], each["hello_by"]) for each in cases] == [
        ("inside", "client"), ("inside", "server"), ("outside", "client"), ("outside", "server"),
    ]  # fmt: skip
    assert [each["held_back"] for each in cases] == expected
