"""What strangers wrote is read strictly: a value is of the expected kind, or the error names it."""

from __future__ import annotations

import contextlib
from enum import StrEnum
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.sources.fields import Fields, load_json
from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def fields(**values: object) -> Fields:
    return Fields(values, "here")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "here: not JSON"),
        ("NaN", "here: NaN is not JSON; leave the sample out, or write null"),
        ('{"a": [-Infinity]}', "here: -Infinity is not JSON"),
        ("[" * 100_000, "here: not JSON"),
        (b"\xff\xfe\xfd", "here: not JSON"),
    ],
)
def test_what_json_has_not_is_refused(text: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_json(text, "here")


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_what_is_no_object_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="here: expected a JSON object, found "):
        Fields(value, "here")


@pytest.mark.parametrize(
    ("read", "value", "said"),
    [
        (lambda each: each.text("x"), 7, "x is 7, expected a text"),
        (lambda each: each.text("x"), None, "x is absent, expected a text"),
        (lambda each: each.number("x"), "7", "x is '7', expected a number"),
        (lambda each: each.number("x"), True, "x is True, expected a number"),
        (lambda each: each.number("x"), 1e999, "x is inf, expected a number"),
        (lambda each: each.number("x"), 10**400, "expected a number"),
        (lambda each: each.optional_integer("x"), 1.5, "x is 1.5, expected an integer"),
        (lambda each: each.choice("x", Colour), "blue", "x is 'blue', not one of: red, green"),
        (lambda each: each.texts("x"), ["a", 1], "x holds something that is not a text"),
        (lambda each: each.texts("x"), "a", "x is 'a', expected a list"),
        (lambda each: each.text_map("x"), {"a": 1}, "x: a is 1, expected a text"),
        (lambda each: each.endpoint("x"), ["1.2.3.4"], "expected an address and a port"),
        (lambda each: each.endpoint("x"), ["1.2.3.4", True], "expected an address and a port"),
        (lambda each: each.column("x"), [1, None], r"x\[1\] is absent, expected a number"),
        (lambda each: each.column("x"), [1e999], "x holds an infinite number"),
        (lambda each: each.integers("x"), [1.5], "x holds fractions, expected integers"),
        (lambda each: each.integers("x"), [2**63], "x holds a number that does not fit"),
        (lambda each: each.integers("x"), [1e999], "x holds a number that does not fit"),
        (lambda each: list(each.records("x")), [{}, 3], r"x\[1\]: expected a JSON object, found 3"),
        (lambda each: each.nested("x"), None, "x: expected a JSON object, found absent"),
        (lambda each: each.text("x"), list(range(99)), r"x is \[0, 1, .*\.\.\., expected a text"),
    ],
)
def test_a_value_of_another_kind_is_named_with_what_was_expected(
    read: Callable[[Fields], object], value: object, said: str
) -> None:
    with pytest.raises(InputError, match=f"^here: {said}" if not said.startswith("expected") else said):
        read(fields(x=value))


def test_what_is_absent_or_null_is_none_where_it_may_be() -> None:
    given_ = fields(null=None)
    assert given_.optional_text("null") is None
    assert given_.optional_number("absent") is None
    assert given_.optional_nested("null") is None
    assert (given_.texts("absent"), given_.text_map("null"), given_.columns("absent")) == ([], {}, {})
    assert list(given_.records("absent")) == []
    assert "null" not in given_


def test_only_the_fields_that_are_known_may_be_there() -> None:
    given_ = fields(a=1, b=2)
    given_.only("a", "b", "c")
    with pytest.raises(InputError, match="here: unknown field 'b'; known are: a, c"):
        given_.only("a", "c")


def test_integers_of_any_size_are_numbers_where_they_fit() -> None:
    assert fields(x=2**64).number("x") == 2.0**64
    assert fields(x=7.0).optional_integer("x") == 7
    assert fields(x=[1, 2.0]).integers("x").tolist() == [1, 2]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(value=values)
def test_any_value_is_read_or_refused(value: object) -> None:
    given_ = fields(x=value)
    readers: list[Callable[[str], object]] = [
        given_.text, given_.number, given_.optional_integer, given_.texts, given_.text_map, given_.endpoint,
        given_.column, given_.columns, given_.integers, given_.nested, lambda name: given_.choice(name, Colour),
        lambda name: list(given_.records(name)),
    ]  # fmt: skip
    for read in readers:
        with contextlib.suppress(InputError):
            read("x")
