"""Shrinking: what is left is wrong in the same way, and nothing more can be left out of it."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from testbed.validation.shrinking import document_of, shrink, simpler

TREE: dict[str, Any] = {
    "format": 1,
    "title": "t",
    "lines": [{"name": "line", "down": "uniform(4 Mbit/s, 40 Mbit/s)", "delay": "12.345 ms"}, {"name": "other"}],
    "background": [{"bulk": ["a", "b"], "flows": 7}],
    "measurements": [{"repeat": 8, "size": "617283 B", "pair": {"target": "twitter.com"}}],
}
DRAWN = {"lines.0.down": "26705664 bit/s"}


def run(needs: Any, tries: int = 500) -> Any:
    asked: list[str] = []

    def still_wrong(text: str) -> bool | None:
        asked.append(text)
        tree = yaml.safe_load(text)
        try:
            return bool(needs(tree))
        except (KeyError, IndexError, TypeError):
            return None  # no scenario

    before = copy.deepcopy(TREE)
    left = shrink(TREE, DRAWN, still_wrong, tries=tries, progress=lambda _: None)
    assert before == TREE
    assert len(asked) == len(set(asked))
    return left


def test_all_that_is_not_needed_goes() -> None:
    left = run(lambda tree: tree["measurements"][0]["pair"]["target"] == "twitter.com")
    assert left.tree == {"format": 1, "title": "t", "measurements": [{"pair": {"target": "twitter.com"}}]}
    assert left.finished
    assert left.steps[0] == "without lines"


def test_values_become_plain_as_far_as_they_may() -> None:
    left = run(
        lambda tree: (
            tree["lines"][0]["down"] != "" and tree["lines"][0]["delay"] and tree["measurements"][0]["repeat"] >= 3
        )
    )
    assert left.tree["lines"] == [{"down": "30000000 bit/s", "delay": "10 ms"}]
    assert left.tree["measurements"] == [{"repeat": 4}]  # halves: 8, 4, and 2 are too few


def test_what_is_no_scenario_costs_no_try() -> None:
    left = run(lambda tree: tree["no such key"])
    assert (left.tree, left.tries, left.steps, left.finished) == (TREE, 0, (), True)


def test_tries_are_not_exceeded() -> None:
    left = run(lambda tree: len(str(tree)) > 100, tries=3)
    assert (left.tries, left.finished) == (3, False)


@given(st.recursive(
    st.integers(-99, 99) | st.booleans() | st.none() | st.sampled_from(["4 ms", "choice(1, 2)", "cubic", "12.3456"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
))  # fmt: skip
def test_each_step_is_smaller_or_plainer_and_steps_end(value: Any) -> None:
    tree = {"a": value}
    for _, candidate in simpler(tree, {}):
        assert candidate != tree
        assert len(yaml.safe_dump(candidate)) <= len(yaml.safe_dump(tree)) + 1
    left = shrink(tree, {}, lambda _: True, tries=1000, progress=lambda _: None)
    assert left.tree == {}
    assert left.finished


def test_a_documents_settings_are_in_its_tree() -> None:
    tree = document_of("throttling/policed", ["measurements.0.size=1 MB"])
    assert tree["measurements"][0]["size"] == "1 MB"
