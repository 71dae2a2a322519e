from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.scenario.options import OptionError, read_options
from testbed.traffic.probes.domains import MOST_NAMES, Domains
from tests.traffic.probes.box import calibrated

if TYPE_CHECKING:
    from pathlib import Path


def test_each_name_is_tried_once_and_in_order(tmp_path: Path) -> None:
    trials = calibrated(tmp_path)
    before = trials.count
    found = Domains(names=("example.org", "twitter.com", "t.co")).run(trials)
    assert [(each["name"], each["held_back"]) for each in found["names"]] == [
        ("example.org", False), ("twitter.com", True), ("t.co", False),
    ]  # fmt: skip
    assert trials.count - before == 3


@pytest.mark.parametrize("names", [[], "twitter.com", ["two words"], ["x"] * (MOST_NAMES + 1), [7]])
def test_what_is_no_list_of_names_is_refused(names: object) -> None:
    with pytest.raises(OptionError, match="option names: expected a "):
        read_options(Domains, {"names": names})
