from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.hello import client_hello, hello_fields
from testbed.traffic.probes.fields import Fields, bytes_that_matter
from tests.traffic.probes.box import NAME, calibrated

if TYPE_CHECKING:
    from pathlib import Path


@given(size=st.integers(1, 300), matters=st.sets(st.integers(0, 299), max_size=40))
def test_halving_finds_every_byte_that_matters(size: int, matters: set[int]) -> None:
    inside = sorted(at for at in matters if at < size)
    assert bytes_that_matter(size, lambda start, end: not any(start <= at < end for at in inside)) == inside


def test_halving_asks_little_where_little_matters() -> None:
    asked: list[tuple[int, int]] = []

    def acts(start: int, end: int) -> bool:
        asked.append((start, end))
        return not start <= 100 < end

    assert bytes_that_matter(256, acts) == [100]
    assert len(asked) <= 1 + 2 * 8


def test_the_fields_of_a_hello_that_a_box_reads_are_found(tmp_path: Path) -> None:
    found = Fields().run(calibrated(tmp_path))
    assert found["bytes"] == len(client_hello(NAME, size=None))
    assert [each["field"] for each in found["fields"]] == [each.name for each in hello_fields(NAME, size=None)]
    by_name = {each["field"]: each for each in found["fields"]}
    name, random = by_name["name"], by_name["random"]
    assert name["matters"] == list(range(name["start"], name["end"]))
    assert random["matters"] == []
