from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from testbed.traffic.probes.budget import Budget, count_over_flows, range_read
from tests.traffic.probes.box import calibrated, shows

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.probes import BudgetStep
    from testbed.traffic.conversation import Passage
    from tests.traffic.evasion.talk import RecordedTalk


def test_flows_are_tripled_only_where_all_agree() -> None:
    assert count_over_flows(lambda: True, 10) == (30, 30)
    assert count_over_flows(lambda: False, 10) == (30, 0)
    mixed = iter([True, False] * 10)
    assert count_over_flows(lambda: next(mixed), 10) == (10, 5)


@pytest.mark.parametrize(("least", "most"), [(3, 15), (15, 20), (4, 4)])
def test_the_range_of_a_drawn_budget_is_found(least: int, most: int) -> None:
    random = Random(5)  # noqa: S311 - reproducible, not secret
    steps: list[BudgetStep] = []
    for before in range(1, 31):
        flows, read = count_over_flows(lambda before=before: random.randint(least, most) >= before, 20)  # type: ignore[misc]
        steps.append({"before": before, "flows": flows, "read": read})
    assert range_read(steps) == (least, most)


def test_nothing_read_is_an_empty_range() -> None:
    assert range_read([{"before": 1, "flows": 30, "read": 0}]) == (0, 0)


def reads_first(packets: int, talk: RecordedTalk, _: Passage) -> bool:
    """A box that reads so many packets after the first."""
    return any(map(shows, talk.sent()[: packets + 1]))


def test_a_budget_without_chance_is_one_number(tmp_path: Path) -> None:
    found = Budget(flows=2, most=9).run(calibrated(tmp_path, lambda talk, passage: reads_first(4, talk, passage)))
    assert (found["always"], found["at_most"]) == (4, 4)
    assert [each["read"] for each in found["steps"]] == [6, 6, 6, 6, 0]
