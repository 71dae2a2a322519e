"""Evasions that are a conversation: proxies, who speaks first, waiting."""

from __future__ import annotations

import pytest

from testbed.middlebox.recognise import TCP_RECOGNISERS, Outcome
from testbed.traffic.conversation import Give, Take
from testbed.traffic.evasion.from_outside import FromOutside
from testbed.traffic.evasion.idle import Idle
from testbed.traffic.evasion.proxies import HttpProxy, Socks
from testbed.traffic.evasion.server_hello import ServerHello
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


def test_the_server_alone_sends_the_hello() -> None:
    passage = ServerHello().passage("twitter.com")
    assert passage.steps == (Give(HELLO),)
    assert played(passage).done == [("receive", len(HELLO))]


@pytest.mark.parametrize(("hello_by", "up", "down"), [("client", 517, 0), ("server", 0, 517), ("both", 517, 517)])
def test_from_outside_either_end_sends_the_hello(hello_by: str, up: int, down: int) -> None:
    passage = FromOutside(hello_by=hello_by).passage("twitter.com")
    assert passage.opens == "far"
    assert [step.count if isinstance(step, Take) else len(step.payload) for step in passage.steps] == [up, down]  # type: ignore[union-attr]


def test_idling_begins_when_the_hello_is_acknowledged() -> None:
    passage = Idle(wait=610).passage("twitter.com")
    assert [verb for verb, _ in played(passage).done] == ["send", "settle", "wait", "send"]
    assert passage.patience_s == 610
    assert passage.order(transfer="x", size=1, timeout_s=30)["timeout_s"] == 640
