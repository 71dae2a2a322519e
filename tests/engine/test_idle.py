"""Runs of hours in which little is measured: what they say meanwhile, and what they cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from testbed.engine.run import run_plan
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel import KernelInfo
    from testbed.records.messages import Message


@pytest.mark.parametrize(("every", "least", "most"), [("8 h", 3 * 30, 3 * 60), ("10 min", 1000, 1300)])
def test_a_guest_that_idles_for_hours_says_seldom_that_it_is_alive(
    kernel: KernelInfo, tmp_path: Path, every: str, least: int, most: int
) -> None:
    """After half a minute of silence ever more seldom; in a run of minutes each second, as ever."""
    plan = make_plan(
        library.find("scenarios", "2021-03-10"),
        ["measurements=[{fetch: twitter.com, role: target, size: 10 kB, lines: [mobile]}]", "outages=[]",
         "recordings=[]", f"schedule={{every: {every}, count: 3}}"],
        seed=None, engine="virtual", command=None,
    )  # fmt: skip
    kinds: Counter[str] = Counter()

    def hear(message: Message) -> None:
        kinds[message["kind"]] += 1

    manifest = run_plan(plan, kernel, tmp_path / "run", silence_s=120, progress=hear)
    assert manifest["valid"], manifest["problems"]
    assert [each["ok"] for each in manifest["transfers"]] == [True] * 3
    assert least <= kinds["alive"] <= most
