from __future__ import annotations

import http.client
import json

import pytest

from testbed.demo.server import DemoServer, is_loopback
from testbed.errors import InputError


def ask(server: DemoServer, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def origin(server: DemoServer) -> dict[str, str]:
    return {"Origin": f"http://{server.shown}"}


@pytest.mark.parametrize(
    ("name", "says"), [("", "<!doctype html>"), ("demo.js", '"use strict"'), ("demo.css", ":root")]
)
def test_the_page_and_its_files_are_given_to_both_tokens(server: DemoServer, name: str, says: str) -> None:
    for token in (server.teacher, server.pupil):
        status, text = ask(server, "GET", f"/{token}/{name}")
        assert (status, text[: len(says)]) == (200, says)


def test_a_wrong_token_is_told_where_the_right_address_stands(server: DemoServer) -> None:
    for path in ("/", "/nothing/", "/demo.js", f"/{server.teacher[:-1]}/", "/%00/"):
        status, text = ask(server, "GET", path)
        assert status == 404
        assert "the terminal shows" in text
        assert server.teacher not in text


def test_another_host_is_refused(server: DemoServer) -> None:
    for host in ("evil.example", f"evil.example:{server.server_port}", "127.0.0.1", ""):
        assert ask(server, "GET", f"/{server.teacher}/", Host=host)[0] == 403


@pytest.mark.parametrize("foreign", ["http://evil.example", "null", "", "https://127.0.0.1"])
def test_a_button_of_a_foreign_page_does_nothing(server: DemoServer, foreign: str) -> None:
    headers = {"Origin": foreign} if foreign else {}
    assert ask(server, "POST", f"/{server.teacher}/reveal", **headers)[0] == 403


@pytest.mark.parametrize("action", ["start", "stop", "reveal"])
def test_the_class_may_vote_and_not_lead(server: DemoServer, action: str) -> None:
    assert ask(server, "POST", f"/{server.pupil}/{action}", "{}", **origin(server))[0] == 403
    assert ask(server, "POST", f"/{server.pupil}/vote", '{"voter": "a", "vote": "blocked"}', **origin(server))[0] == 200


@pytest.mark.parametrize(
    ("action", "body", "says"),
    [
        ("start", "{", "no JSON"),
        ("start", "[]", "no JSON object"),
        ("start", "[" * 3000, "no JSON"),
        ("start", "x" * 5000, "more than 4096 bytes"),
        ("start", '{"cause": "aliens"}', "cause: expected one of"),
        ("vote", '{"vote": 7}', "vote: expected one of"),
        ("erase", "{}", "no such action"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(server: DemoServer, action: str, body: str, says: str) -> None:
    status, text = ask(server, "POST", f"/{server.teacher}/{action}", body, **origin(server))
    assert status == 400
    assert says in text


def test_a_stream_begins_with_who_listens(server: DemoServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", f"/{server.pupil}/events")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    lines = [answer.readline().decode() for _ in range(4)]
    connection.close()
    hello = json.loads(lines[1].removeprefix("data: "))
    assert hello["teacher"] is False
    assert hello["class"].endswith(f"/{server.pupil}/")
    assert server.teacher not in "".join(lines)


def test_a_port_that_is_taken_is_refused_with_a_remedy(server: DemoServer) -> None:
    with pytest.raises(InputError, match="another demonstration may run there"):
        DemoServer(server.session, address="127.0.0.1", port=server.server_port)


@pytest.mark.parametrize(
    ("address", "private"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("::", False), ("192.0.2.1", False), ("evil", False)],
)
def test_only_loopback_is_private(*, address: str, private: bool) -> None:
    assert is_loopback(address) is private


def listening(server: DemoServer) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", f"/{server.pupil}/events")
    return connection, connection.getresponse()


def votes_told(answer: http.client.HTTPResponse, count: int) -> bool:
    """Read on until a state says that so many have voted."""
    while line := answer.readline():
        if line.startswith(b"data: "):
            message = json.loads(line.removeprefix(b"data: "))
            if sum(number for _, number in message.get("votes", [])) == count:
                return True
    return False


def test_thirty_browsers_are_told_the_same_and_one_that_reads_nothing_holds_nobody_up(server: DemoServer) -> None:
    opened = [listening(server) for _ in range(31)]
    _asleep, *awake = opened
    for number in range(30):
        body = json.dumps({"voter": f"browser {number}", "vote": "throttled"})
        assert ask(server, "POST", f"/{server.pupil}/vote", body, **origin(server))[0] == 200
    assert all(votes_told(answer, 30) for _, answer in awake)
    assert server.listeners == 31
    for connection, answer in opened:
        answer.close()
        connection.close()


def test_a_browser_that_was_asleep_is_told_everything_when_it_asks_again(server: DemoServer) -> None:
    """A closed laptop cuts the stream; what happened meanwhile is in what it is told first."""
    connection, answer = listening(server)
    answer.close()
    connection.close()
    ask(server, "POST", f"/{server.pupil}/vote", '{"voter": "a", "vote": "blocked"}', **origin(server))
    connection, answer = listening(server)
    assert votes_told(answer, 1)
    answer.close()
    connection.close()


def test_a_second_demonstration_on_another_port_has_addresses_of_its_own(server: DemoServer) -> None:
    with DemoServer(server.session, address="127.0.0.1", port=0) as second:
        assert {second.teacher, second.pupil}.isdisjoint({server.teacher, server.pupil})
        assert second.shown != server.shown
        assert ask(server, "GET", f"/{second.teacher}/")[0] == 404
        # Its pages are foreign to this one, as any other's.
        headers = {"Origin": f"http://{second.shown}"}
        assert ask(server, "POST", f"/{server.teacher}/reveal", **headers)[0] == 403
