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
        ("1", lambda s: s.number("k", least=0, most=9)),
        (True, lambda s: s.number("k", least=0, most=9)),
        (float("nan"), lambda s: s.number("k", least=0, most=9)),
        (float("inf"), lambda s: s.number("k", least=0, most=9)),
        (10**400, lambda s: s.number("k", least=0, most=9)),
        (-1, lambda s: s.number("k", least=0, most=9)),
        (2, lambda s: s.number("k", least=0, most=1)),
        (0, lambda s: s.seconds("k")),
        (1e-9, lambda s: s.seconds("k")),
        (float("inf"), lambda s: s.seconds("k")),
        (1e300, lambda s: s.seconds("k")),
        (1.0, lambda s: s.integer("k", least=0, most=9)),
        (True, lambda s: s.integer("k", least=0, most=9)),
        (0, lambda s: s.integer("k", least=1, most=9)),
        (10**400, lambda s: s.integer("k", least=1, most=9)),
        ([3, 10**400], lambda s: s.range("k", least=0)),
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
        Section({"meter": {}}).section("meter").integer("rate_bps", least=8, most=80)


def test_a_key_nobody_asked_for_is_refused_by_name() -> None:
    section = Section({"known": 1, "typo": 2})
    section.integer("known", least=0, most=9)
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
    assert (section.number("n", least=0, most=9), section.integer("i", least=3, most=3)) == (2.0, 3)
    assert (section.range("r", least=1), section.seconds_or_none("absent")) == ((1, 1), None)
    assert (section.text_or_none("null"), section.text_or_none("absent")) == (None, None)
    assert section.choices("c", ("a", "b")) == ("b",)
    assert section.choices("e", ("a", "b"), may_be_empty=True) == ()
    section.close()


@pytest.mark.parametrize(("value", "shown"), [(float("inf"), "inf"), (10**30, "1000000000000000000000000000000")])
def test_a_number_that_is_too_large_is_shown_with_what_was_expected(value: float, shown: str) -> None:
    with pytest.raises(ProfileError) as caught:
        Section({"k": value}).seconds("k")
    assert caught.value.key == "k"
    assert shown in caught.value.problem
    assert "31536000" in caught.value.problem


def test_a_number_that_cannot_be_written_down_is_refused_all_the_same() -> None:
    section = Section({"n": 10**5000, "w": 10**5000})
    with pytest.raises(ProfileError, match="an enormous number is too large; expected 31536000 or less"):
        section.seconds("n")
    with pytest.raises(ProfileError, match="an enormous number"):
        section.choice("w", ("a", "b"))


def test_the_error_is_an_input_error_of_the_testbed() -> None:
    assert issubclass(ProfileError, ScenarioError)
