"""Options of evasions and probes are written as people would, and refused with what would fit."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from testbed.scenario.options import OptionError, read_options
from testbed.traffic.evasion import EVASIONS
from testbed.traffic.options import choice, known_options, option, span, whole


@dataclass(frozen=True, slots=True)
class Tea:
    """With options."""

    cups: int = option(2, whole(1, 9), "how many")
    steep: float = option(180.0, span(1, 600), "how long")
    kind: str = option("black", choice("black", "green"), "of leaves")


def test_options_are_written_as_a_user_would() -> None:
    made = read_options(Tea, {"cups": "3", "steep": "4 min", "kind": "green"})
    assert made == Tea(cups=3, steep=240.0, kind="green")
    assert known_options(made) == {"cups": 3, "steep": 240.0, "kind": "green"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"sugar": 1}, r"option sugar: unknown option \(known: cups, steep, kind\)"),
        ({"cups": 0}, "option cups: expected a whole number from 1 to 9, got 0"),
        ({"cups": True}, "option cups: expected a whole number"),
        ({"cups": 1.5}, "option cups: expected a whole number"),
        ({"cups": "²"}, "option cups: expected a whole number"),
        ({"steep": 180}, "option steep: .*the unit is missing"),
        ({"steep": "1 h"}, "option steep: expected a duration from 1 s to 600 s"),
        ({"kind": "white"}, "option kind: expected one of black, green, got 'white'"),
        ({"kind": ["black"]}, "option kind: expected one of black, green"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(given: dict[str, object], problem: str) -> None:
    with pytest.raises(OptionError, match=problem):
        read_options(Tea, given)


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"option tll: unknown option \(known: ttl, size\)") as caught:
        read_options(EVASIONS["fake-random"], {"tll": 3})
    assert caught.value.option == "tll"
