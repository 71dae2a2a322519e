from __future__ import annotations

from collections.abc import Callable

import pytest

from testbed.errors import ScenarioError
from testbed.middlebox.profile.section import ProfileError, Section

Reader = Callable[[Section], object]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("", lambda s: s.text("k")),
        (3, lambda s: s.text("k")),
        (["a", 3], lambda s: s.texts("k")),
        ("c", lambda s: s.choice("k", ("a", "b"))),
        (["a", "c"], lambda s: s.choices("k", ("a", "b"))),
        (["a", "a"], lambda s: s.choices("k", ("a", "b"))),
        ([], lambda s: s.choices("k", ("a", "b"))),
        ("a", lambda s: s.choices("k", ("a", "b"))),
        ("1", lambda s: s.number("k")),
        (True, lambda s: s.number("k")),
        (float("nan"), lambda s: s.number("k")),
        (-1, lambda s: s.number("k", least=0)),
        (0, lambda s: s.number("k", above=0)),
        (2, lambda s: s.number("k", most=1)),
        (1.0, lambda s: s.integer("k")),
        (True, lambda s: s.integer("k")),
        (0, lambda s: s.integer("k", least=1)),
        ([3], lambda s: s.range("k", least=0)),
        ([3, 2], lambda s: s.range("k", least=0)),
        ([-1, 2], lambda s: s.range("k", least=0)),
        ([0.5, 2], lambda s: s.range("k", least=0)),
        ("text", lambda s: s.section("k")),
        ({"x": 1}, lambda s: s.sections("k")),
    ],
)
def test_a_value_that_is_not_as_asked_is_refused_with_its_key(value: object, read: Reader) -> None:
    with pytest.raises(ProfileError) as caught:
        read(Section({"k": value}, "outer"))
    assert caught.value.key == "outer.k"


def test_a_missing_key_is_refused_by_name() -> None:
    with pytest.raises(ProfileError, match=r"profile key meter\.rate_bps: missing"):
        Section({"meter": {}}).section("meter").integer("rate_bps")


def test_a_key_nobody_asked_for_is_refused_by_name() -> None:
    section = Section({"known": 1, "typo": 2})
    section.integer("known")
    with pytest.raises(ProfileError, match="profile key typo: unknown key"):
        section.close()


def test_items_of_a_list_are_counted_from_zero() -> None:
    items = Section({"rules": [{"id": "a"}, {}]}).sections("rules")
    with pytest.raises(ProfileError) as caught:
        items[1].text("id")
    assert caught.value.key == "rules.1.id"


def test_values_as_asked_are_returned() -> None:
    section = Section(
        {"t": "x", "one": "a", "many": ["a", "b"], "n": 2, "i": 3, "r": [1, 1], "null": None, "c": ["b"], "e": []}
    )
    assert (section.text("t"), section.texts("one"), section.texts("many")) == ("x", ("a",), ("a", "b"))
    assert (section.number("n"), section.integer("i"), section.range("r", least=1)) == (2.0, 3, (1, 1))
    assert (section.text_or_none("null"), section.text_or_none("absent")) == (None, None)
    assert section.choices("c", ("a", "b")) == ("b",)
    assert section.choices("e", ("a", "b"), may_be_empty=True) == ()
    section.close()


def test_the_error_is_an_input_error_of_the_testbed() -> None:
    assert issubclass(ProfileError, ScenarioError)
