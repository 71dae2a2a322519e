from __future__ import annotations

import pytest

from testbed.middlebox.recognise import TCP_RECOGNISERS, Outcome
from testbed.traffic.conversation import Give, Take
from testbed.traffic.evasion.proxies import HttpProxy, Socks
from testbed.traffic.hello import client_hello
from tests.traffic.evasion.talk import played

HELLO = client_hello("twitter.com")


@pytest.mark.parametrize(
    ("evasion", "recogniser", "requests"),
    [(HttpProxy(), "http_proxy", 1), (Socks(version=4), "socks", 1), (Socks(version=5), "socks", 2)],
)
def test_a_proxy_is_asked_before_the_hello(evasion: HttpProxy | Socks, recogniser: str, requests: int) -> None:
    *asked, hello = played(evasion.passage("twitter.com")).sent()
    assert len(asked) == requests
    assert hello == HELLO
    recognised = TCP_RECOGNISERS[recogniser]
    assert all(recognised(request) not in {Outcome.NOT_THIS, Outcome.NEED_MORE} for request in asked)


@pytest.mark.parametrize("evasion", [HttpProxy(), Socks(version=4), Socks(version=5)])
def test_the_far_end_answers_each_request_before_the_next(evasion: HttpProxy | Socks) -> None:
    passage = evasion.passage("twitter.com")
    *answered, last = passage.steps
    assert last == Take(len(HELLO))
    assert [type(step) for step in answered] == [Take, Give] * (len(answered) // 2)


def test_socks_4_names_an_address_and_socks_5_the_host() -> None:
    four, five = (played(Socks(version=version).passage("twitter.com")).sent() for version in (4, 5))
    assert b"twitter.com" not in four[0]
    assert b"\x0btwitter.com" in five[1]
