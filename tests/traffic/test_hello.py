from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.craft import inverted, split_record
from testbed.middlebox.recognise import Hello
from testbed.middlebox.recognise.tls import recognise
from testbed.traffic.hello import client_hello, hello_fields

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=253)


@given(name=NAMES, size=st.none() | st.integers(1, 2000), hides=st.booleans())
def test_a_walk_over_the_fields_finds_the_name(name: str, size: int | None, *, hides: bool) -> None:
    result = recognise(client_hello(name, size=size, hides_name=hides))
    assert isinstance(result, Hello)
    assert result.name == name


def test_without_a_name_there_is_no_server_name_extension() -> None:
    result = recognise(client_hello(None))
    assert isinstance(result, Hello)
    assert result.name is None


@pytest.mark.parametrize("size", [517, 600, 1200, 1600])
def test_padding_reaches_the_size(size: int) -> None:
    assert len(client_hello("twitter.com", size=size)) == size


def test_a_seed_makes_another_hello_of_the_same_form() -> None:
    one, two = client_hello("twitter.com", seed=1), client_hello("twitter.com", seed=2)
    assert one != two
    assert len(one) == len(two)
    assert one == client_hello("twitter.com", seed=1)


@given(name=NAMES)
def test_fields_cover_every_byte_once(name: str) -> None:
    fields = hello_fields(name)
    assert [each.start for each in fields] == [0, *(each.end for each in fields[:-1])]
    hello = client_hello(name)
    assert fields[-1].end == len(hello)
    [at] = [each for each in fields if each.name == "name"]
    assert hello[at.start : at.end] == name.encode()


@given(data=st.binary(max_size=300), part=st.tuples(st.integers(0, 300), st.integers(0, 300)).map(sorted))
def test_inverting_twice_is_nothing(data: bytes, part: list[int]) -> None:
    start, end = part
    once = inverted(data, start, end)
    assert inverted(once, start, end) == data
    assert all((a == b) != (start <= index < end) for index, (a, b) in enumerate(zip(data, once, strict=True)))


def test_split_records_say_their_lengths() -> None:
    hello = client_hello("twitter.com")
    split = split_record(hello, 40)
    assert len(split) == len(hello) + 5
    assert int.from_bytes(split[3:5], "big") == 40
    assert int.from_bytes(split[48:50], "big") == len(hello) - 5 - 40
