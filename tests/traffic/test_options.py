from __future__ import annotations

from dataclasses import dataclass

import pytest

from testbed.traffic.options import (
    OptionError,
    choice,
    from_options,
    known_options,
    option,
    server_name,
    span,
    whole,
)


@dataclass(frozen=True, slots=True)
class Tea:
    """With options."""

    cups: int = option(2, whole(1, 9), "how many")
    steep: float = option(180.0, span(1, 600), "how long")
    kind: str = option("black", choice("black", "green"), "of leaves")


def test_options_are_written_as_a_user_would() -> None:
    made = from_options(Tea, {"cups": "3", "steep": "4 min", "kind": "green"})
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
        from_options(Tea, given)


@pytest.mark.parametrize("name", ["", "two words", "line\nfeed", "nul\0", "caf\u00e9", "x" * 254, 7, None])
def test_server_names_are_printable_ascii(name: object) -> None:
    with pytest.raises(ValueError, match="expected a server name"):
        server_name(name)
