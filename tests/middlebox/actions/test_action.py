from __future__ import annotations

import pytest

from testbed.middlebox.actions import ACTIONS
from tests.middlebox.build import problems, profile
from tests.middlebox.meters.build import beginning


def test_each_module_of_the_folder_has_the_action_of_its_name() -> None:
    assert list(ACTIONS) == ["block_page", "delay", "drop", "reset", "rewrite", "throttle"]
    assert all(ACTIONS[kind].__module__ == f"testbed.middlebox.actions.{kind}" for kind in ACTIONS)


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    found = problems(action__kind="explode")
    assert found["action.kind"] == (
        "unknown value 'explode'; expected one of block_page, delay, drop, reset, rewrite, throttle"
    )


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"action__kind": "drop"}, "action.after_packets"),
        ({"action__kind": "delay"}, "action.delay"),
        ({"action__kind": "reset"}, "action.reset_to"),
        ({"action__kind": "block_page"}, "action.page"),
        ({"action__after_packets": [5, 8]}, "action.after_packets"),
        ({"action__trigger_packet": "dropped"}, "action.trigger_packet"),
        ({"action__kind": ["throttle"]}, "action.kind"),
        ({"action": 5}, "action"),
    ],
    ids=str,
)
def test_each_kind_has_keys_of_its_own(changes: dict[str, object], key: str) -> None:
    assert key in problems(**changes)


@pytest.mark.parametrize("name", ["kz-2022", "ru-2022-I", "isp-block", "isp-block-rst"])
def test_an_action_that_keeps_nothing_of_a_flow_stands_for_all_of_them(name: str) -> None:
    action = profile(name).action
    assert action.make(beginning(), None) is action
