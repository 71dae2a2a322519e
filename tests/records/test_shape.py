"""What was read as JSON has the shape that its type says, or the error says where it has not."""

from typing import Literal, NotRequired, TypedDict

import pytest

from testbed.records.shape import shaped


class Inner(TypedDict):
    count: int
    note: NotRequired[str | None]


class Outer(TypedDict):
    kind: Literal["one", "two"]
    share: float
    flag: bool
    inner: Inner
    many: list[Inner]
    named: dict[str, float]


GOOD = {
    "kind": "one", "share": 1, "flag": False, "inner": {"count": 3}, "many": [{"count": 1, "note": None}],
    "named": {"a": 0.5, "b": 2},
}  # fmt: skip


def test_a_value_of_the_right_shape_is_given_back_as_it_is() -> None:
    value: object = {**GOOD, "of a newer writer": []}
    assert shaped(value, Outer) is value


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "three"}, "kind: expected 'one' or 'two', got 'three'"),
        ({"share": "1"}, "share: expected a number, got '1'"),
        ({"share": True}, "share: expected a number, got True"),
        ({"share": float("nan")}, "share: expected a number, got nan"),
        ({"named": {"a": float("-inf")}}, "named.a: expected a number, got -inf"),
        ({"flag": 0}, "flag: expected true or false, got 0"),
        ({"inner": {}}, "inner.count: this key is missing"),
        ({"inner": {"count": 1.5}}, "inner.count: expected a whole number, got 1.5"),
        ({"inner": {"count": True}}, "inner.count: expected a whole number, got True"),
        ({"inner": []}, "inner: expected an object, got []"),
        ({"inner": {"count": 1, "note": 5}}, "inner.note: expected a text or null, got 5"),
        ({"many": {}}, "many: expected a list, got {}"),
        ({"many": [{"count": 1}, {"count": "x"}]}, "many.1.count: expected a whole number, got 'x'"),
        ({"named": {"a": None}}, "named.a: expected a number, got None"),
        ({"named": "x" * 100}, f"named: expected an object, got '{'x' * 59}…"),
    ],
)
def test_another_shape_is_refused_with_its_place(change: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=r"expected|missing") as error:
        shaped({**GOOD, **change}, Outer)
    assert str(error.value) == problem


@pytest.mark.parametrize("value", [None, 1, [], "text"])
def test_what_is_no_object_is_refused_as_a_whole(value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected an object, got "):
        shaped(value, Outer)
