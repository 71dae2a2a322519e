"""How values on the command line are read: what is none is refused with the value."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from testbed.cli.arguments import values

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("text", ["0", "-1", "1-30", str(1 << 63), "one", "\u0661"])
def test_what_is_no_single_seed_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number from 1"):
        values.seed(text)


@pytest.mark.parametrize(("read", "text", "value"), [
    (values.count, "7", 7), (values.seconds, "0.5", 0.5), (values.days, "0", 0.0), (values.seed, "1", 1),
    (values.size, "2 MiB", 2 << 20), (values.seeds, "1-3", [1, 2, 3]),
])  # fmt: skip
def test_what_people_type_is_read(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(("read", "text"), [
    (values.count, "0"), (values.count, "\u0661"), (values.seconds, "0"), (values.seconds, "inf"), (values.days, "nan"),
    (values.size, "2 lkB"), (values.seeds, "3-1"), (values.instant, "tomorrow"),
])  # fmt: skip
def test_what_is_none_is_told_with_the_value(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected"):
        read(text)
