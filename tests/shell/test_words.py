"""Every line asks for one thing, or is told why it asks for nothing; Tab offers what a word may become."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.shell.words import (
    BoxLog,
    Exit,
    Nothing,
    Problem,
    Request,
    Show,
    Start,
    Stop,
    completions,
    parse_line,
)
from tests.shell.network import NETWORK


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("", Nothing()),
        ("   ", Nothing()),
        ("# a remark", Nothing()),
        ("nodes", Show("nodes")),
        (" links ", Show("links")),
        ("?", Show("help")),
        ("jobs", Show("jobs")),
        ("exit", Exit()),
        ("quit 7", Exit(7)),
        ("stop 3", Stop(3)),
        ("box log", BoxLog(("mobile-tspu",), 20)),
        ("box log all", BoxLog(("mobile-tspu",), None)),
        ("landline-tspu log 5", BoxLog(("landline-tspu",), 5)),
        ("client  ping origin", Start("mobile", ("/bin/sh", "-c", "ping origin"), "client ping origin")),
        ("origin iperf3 -s &", Start("origin", ("/bin/sh", "-c", "iperf3 -s"), "origin iperf3 -s &", is_beside=True)),
        ("origin true && echo a", Start("origin", ("/bin/sh", "-c", "true && echo a"), "origin true && echo a")),
        ("origin echo \\&", Start("origin", ("/bin/sh", "-c", "echo \\&"), "origin echo \\&")),
        # a box is a node, too
        ("box tcpdump -i eth0", Start("mobile-tspu", ("/bin/sh", "-c", "tcpdump -i eth0"), "box tcpdump -i eth0")),
    ],
)  # fmt: skip
def test_a_line_asks_for(line: str, request_: Request) -> None:
    assert parse_line(line, NETWORK) == request_


@pytest.mark.parametrize(
    ("line", "about", "status"),
    [
        ("clinet ping origin", "'clinet' is no node and no word of this shell; did you mean client?", 127),
        ("\x1b[A", "is no node and no word", 127),
        ("client", "client what? For example: client ping", 2),
        ("client &", "client what?", 2),
        ("box", "box what? For example: box log", 2),
        ("box log -3", "expected a number of lines from 1 on, or all, got '-3'", 2),
        ("box log 0", "expected a number of lines", 2),
        ("box log ٣", "expected a number of lines", 2),
        ("box log 99999999999999999999", "expected a number of lines", 2),
        ("exit 256", "expected one number from 0 to 255, got '256'", 2),
        ("exit 1 2", "expected one number", 2),
        ("stop", "expected the number of what runs beside", 2),
        ("stop all", "expected the number", 2),
        ("nodes please", "nodes stands alone, got 'please'", 2),
        ("client echo \0", "character of number 0", 2),
    ],
)
def test_a_line_that_asks_for_nothing_is_told_why(line: str, about: str, status: int) -> None:
    problem = parse_line(line, NETWORK)
    assert isinstance(problem, Problem)
    assert about in problem.about
    assert problem.status == status


def test_a_scenario_without_a_box_has_no_log_of_one() -> None:
    without = replace(NETWORK, boxes=(), aliases={"client": "mobile"})
    problem = parse_line("box log", without)
    assert isinstance(problem, Problem)
    assert "no box stands on any line" in problem.about


@given(st.text())
def test_any_text_is_understood_or_refused(line: str) -> None:
    assert isinstance(parse_line(line, NETWORK), Nothing | Show | BoxLog | Start | Stop | Exit | Problem)


@given(st.sampled_from(sorted(NETWORK.nodes)), st.text(min_size=1))
def test_what_is_started_is_what_was_typed(node: str, rest: str) -> None:
    request = parse_line(f"{node} {rest}", NETWORK)
    if isinstance(request, Start):
        assert request.node == node
        assert request.argv[:2] == ("/bin/sh", "-c")
        assert rest.strip().startswith(request.argv[2])


@pytest.mark.parametrize(
    ("before", "text", "found"),
    [
        ("", "mobile", ["mobile", "mobile-client", "mobile-r1", "mobile-tspu"]),
        ("", "no", ["nodes"]),
        ("client ping ", "or", ["origin"]),
        ("client curl https://", "tw", ["twitter.com"]),
        ("box ", "l", ["landline", "landline-tspu", "log"]),
        ("client ", "lo", []),
        ("nobody ", "o", []),
        ("", "zzz", []),
    ],
)
def test_tab_completes(before: str, text: str, found: list[str]) -> None:
    assert completions(before, text, NETWORK) == found
