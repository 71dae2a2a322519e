"""Hellos of two browsers, against what was captured of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.recognise import Hello
from testbed.middlebox.recognise.tls import recognise
from testbed.traffic.browser_hello import HELLOS, browser_hello
from testbed.traffic.hello import client_hello

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=253)
# Of the captured hellos for twitter.com: extension and length of its body, in order.
FIREFOX = [
    (0, 16), (23, 0), (65281, 1), (10, 16), (11, 2), (35, 0), (16, 14), (5, 5), (34, 10), (18, 0), (51, 1327), (43, 5),
    (13, 24), (45, 2), (28, 2), (27, 7), (65037, 281),
]  # fmt: skip
# Without the first and the last, which are GREASE, and without the encrypted hello, in the order of their numbers.
CHROME = [
    (0, 16), (5, 5), (10, 12), (11, 2), (13, 26), (16, 14), (18, 0), (23, 0), (27, 3), (35, 0), (43, 7), (45, 2),
    (51, 1263), (17613, 5), (51764, 186), (65281, 1),
]  # fmt: skip
ECH = 65037


def extensions(hello: bytes) -> list[tuple[int, int]]:
    """Types and lengths; every length in the hello has to fit the next."""
    assert int.from_bytes(hello[3:5]) == len(hello) - 5
    assert int.from_bytes(hello[6:9]) == len(hello) - 9
    at = 9 + 2 + 32 + 1 + hello[43]
    at += 2 + int.from_bytes(hello[at : at + 2]) + 2
    assert int.from_bytes(hello[at : at + 2]) == len(hello) - at - 2
    at += 2
    found = []
    while at < len(hello):
        size = int.from_bytes(hello[at + 2 : at + 4])
        found.append((int.from_bytes(hello[at : at + 2]), size))
        at += 4 + size
    assert at == len(hello)
    return found


def is_grease(number: int) -> bool:
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


@pytest.mark.parametrize("seed", [1, 2])
def test_firefox_is_as_it_was_captured(seed: int) -> None:
    hello = browser_hello("twitter.com", "firefox", seed=seed)
    assert len(hello) == 1894
    assert extensions(hello) == FIREFOX


@given(seed=st.integers(1, 1 << 40))
def test_chrome_has_its_extensions_in_some_order_between_two_of_grease(seed: int) -> None:
    hello = browser_hello("twitter.com", "chrome", seed=seed)
    first, *others, last = extensions(hello)
    assert len(hello) in {1919, 1951, 1983, 2015}
    assert is_grease(first[0])
    assert is_grease(last[0])
    assert first[0] != last[0]
    assert (first[1], last[1]) == (0, 1)
    assert sorted(each for each in others if each[0] != ECH) == CHROME
    assert [size for kind, size in others if kind == ECH] in [[186], [218], [250], [282]]


def test_chromes_order_is_drawn_from_the_seed() -> None:
    orders = {tuple(extensions(browser_hello("t.co", "chrome", seed=seed))) for seed in range(1, 21)}
    assert len(orders) == 20
    assert browser_hello("t.co", "chrome", seed=3) == browser_hello("t.co", "chrome", seed=3)


@given(name=NAMES, browser=st.sampled_from(list(HELLOS)))
def test_a_box_that_puts_the_packets_together_reads_the_name(name: str, browser: str) -> None:
    result = recognise(browser_hello(name, browser))
    assert isinstance(result, Hello)
    assert result.name == name


def test_the_hello_of_2021_is_what_evasions_always_sent() -> None:
    assert browser_hello("twitter.com", "2021") == client_hello("twitter.com")
