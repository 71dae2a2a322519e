from __future__ import annotations

from dataclasses import dataclass

import pytest

from testbed.traffic.options import about, known_options, option, server_name, whole, written


@dataclass(frozen=True, slots=True)
class Tea:
    """With an option."""

    cups: int = option(2, whole(1, 9), "how many")


def test_an_option_is_a_field_with_its_notation_and_its_purpose() -> None:
    assert known_options(Tea()) == {"cups": 2}
    assert about(Tea) == {"cups": "how many"}
    assert written(Tea)["cups"].read("3") == 3
    assert written(Tea)["cups"].schema == {"type": "integer", "minimum": 1, "maximum": 9}


@pytest.mark.parametrize("name", ["", "two words", "line\nfeed", "nul\0", "caf\u00e9", "x" * 254, 7, None])
def test_server_names_are_printable_ascii(name: object) -> None:
    with pytest.raises(ValueError, match="expected a server name"):
        server_name(name)
