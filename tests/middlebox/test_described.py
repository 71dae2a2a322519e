from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from testbed.middlebox.described import Described, file_key
from testbed.middlebox.packet import Direction
from testbed.quantities import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner(Described):
    timeout_s: Duration
    longest_s: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer(Described):
    inner: Inner
    directions: frozenset[Direction]
    ports: frozenset[int] = frozenset()
    pair: Annotated[tuple[int, int], "whatever"] = (1, 2)
    parts: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("rate_bps", "rate"),
        ("burst_bytes", "burst"),
        ("idle_timeout_s", "idle_timeout"),
        ("scope", "scope"),
        ("s", "s"),
    ],
)
def test_a_key_of_a_file_has_no_unit(field: str, key: str) -> None:
    assert file_key(field) == key


PLAIN = {
    "inner": {"timeout_s": 60.0},
    "directions": ["up", "down"],
    "ports": [80, 443],
    "pair": [3, 4],
    "parts": [{"timeout_s": 1.0, "longest_s": 2.0}],
}
BUILT = Outer(
    inner=Inner(timeout_s=60.0),
    directions=frozenset(Direction),
    ports=frozenset({443, 80}),
    pair=(3, 4),
    parts=(Inner(timeout_s=1.0, longest_s=2.0),),
)


def test_what_was_made_plain_is_built_again() -> None:
    assert Outer.from_dict(PLAIN) == BUILT
    assert BUILT.to_dict() == PLAIN


def test_whole_seconds_are_seconds_and_what_is_missing_has_its_default() -> None:
    built = Outer.from_dict({"inner": {"timeout_s": 60, "longest_s": None}, "directions": ["down"]})
    assert built == Outer(inner=Inner(timeout_s=60.0), directions=frozenset({Direction.DOWN}))
    assert isinstance(built.inner.timeout_s, float)


def test_every_default_is_written_out_but_what_is_none() -> None:
    plain = Outer(inner=Inner(timeout_s=1.0), directions=frozenset()).to_dict()
    assert plain == {"inner": {"timeout_s": 1.0}, "directions": [], "ports": [], "pair": [1, 2], "parts": []}
