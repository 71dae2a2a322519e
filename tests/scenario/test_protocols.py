"""HTTP/2 and HTTP/3 in a scenario: what is planned, and what is refused."""

from __future__ import annotations

import pytest

from testbed.engine.prepare.substitutes import programs_used, settle_programs
from testbed.errors import ScenarioError
from testbed.traffic.origin import is_nginx
from tests.scenario.plans import first_day


def of_newer_protocols(fetch: str, origin: str = "protocols: [http/1.1, http/2, http/3]", **more: str) -> list[str]:
    """Settings of a scenario with one measurement and one origin."""
    return [
        f"measurements=[{{fetch: t.co, role: target, lines: [landline], {fetch}}}{more.get('also', '')}]",
        "recordings=[]",
        f"origins={{origin: {{serves: [t.co, twitter.com], {origin}}}}}",
    ]


@pytest.mark.parametrize(("protocol", "name"), [("http/2", "t.co, HTTP/2"), ("http/3", "t.co, HTTP/3")])
def test_a_newer_protocol_is_the_transfers_and_its_origins(protocol: str, name: str) -> None:
    plan = first_day(*of_newer_protocols(f"protocol: {protocol}, objects: 2"))
    (transfer,) = plan.transfers
    assert transfer["kind"] == "fetch"
    assert (transfer["protocol"], transfer["name"], transfer["objects"]) == (protocol, name, 2)
    assert plan.data["origins"]["origin"]["protocols"] == ["http/2", "http/3"]


def test_what_is_usual_has_no_key() -> None:
    plan = first_day(*of_newer_protocols("protocol: http/1.1", origin="protocols: [http/1.1]"))
    (transfer,) = plan.transfers
    assert "protocol" not in transfer
    assert "protocols" not in plan.data["origins"]["origin"]


def test_curl_speaks_http2() -> None:
    (transfer,) = first_day(*of_newer_protocols("protocol: http/2, client: curl")).transfers
    assert (transfer["kind"], transfer.get("protocol")) == ("curl", "http/2")


@pytest.mark.parametrize(
    ("fetch", "origin", "problem"),
    [
        (
            "protocol: http/3", "protocols: [http/1.1, http/2]",
            r"0.protocol: the origin origin, which serves t.co, .*'protocols: \[http/1.1, http/2, http/3\]'",
        ),
        ("protocol: http/2", "rate: 1 Mbit/s", "does not speak http/2"),
        ("protocol: http/4", "protocols: [http/1.1]", "protocol: expected 'http/1.1', 'http/2' or 'http/3'"),
        ("protocol: http/3, client: curl", "protocols: [http/1.1, http/3]", "curl, as Debian has it, does not speak"),
        ("protocol: http/3, reading: 1 Mbit/s", "protocols: [http/1.1, http/3]", "reading: 'reading' is of TCP's"),
        ("protocol: http/3, receive_buffer: 8 kB", "protocols: [http/1.1, http/3]", "'receive_buffer' is of TCP's"),
        ("protocol: http/3, size: 129 MB", "protocols: [http/1.1, http/3]", "size: too large for http/3: .* 128 MB"),
        ("protocol: http/3", "protocols: [http/1.1, http/3], send_buffer: 8 kB", "'send_buffer' is of TCP's sockets"),
        ("protocol: http/3", "protocols: [http/1.1, http/3], pacing: 8 Mbit/s", "'pacing' is of TCP's sockets"),
        ("protocol: http/3", "protocols: [http/3]", "expected http/1.1, which every origin speaks, and others"),
        ("protocol: http/3", "protocols: [http/1.1, http/3, http/3]", "and others, each once"),
        ("protocol: http/1.1", "protocols: []", "expected http/1.1, which every origin speaks"),
        ("protocol: http/1.1", "protocols: http/3", "expected a list"),
    ],
)  # fmt: skip
def test_a_protocol_that_cannot_be_honoured_is_refused(fetch: str, origin: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        first_day(*of_newer_protocols(fetch, origin))


@pytest.mark.parametrize("protocol", ["http/2", "http/3"])
def test_an_origin_that_takes_uploads_speaks_newer_protocols(protocol: str) -> None:
    also = ", {upload: t.co, role: target, lines: [landline]}"
    plan = first_day(*of_newer_protocols(f"protocol: {protocol}", f"protocols: [http/1.1, {protocol}]", also=also))
    origin = plan.data["origins"]["origin"]
    assert origin["protocols"] == [protocol]
    assert not is_nginx(origin)


def uploaded(upload: str, origin: str = "protocols: [http/1.1, http/3]") -> list[str]:
    return [
        f"measurements=[{{upload: t.co, role: target, lines: [landline], {upload}}}]",
        "recordings=[]",
        f"origins={{origin: {{serves: [t.co, twitter.com], {origin}}}}}",
    ]


@pytest.mark.parametrize("protocol", ["http/2", "http/3"])
def test_an_upload_may_go_over_newer_protocols(protocol: str) -> None:
    (transfer,) = first_day(*uploaded(f"protocol: {protocol}", f"protocols: [http/1.1, {protocol}]")).transfers
    assert transfer["kind"] == "upload"
    assert (transfer.get("protocol"), transfer["name"]) == (protocol, f"upload t.co, {protocol.upper()}")
    (transfer,) = first_day(*uploaded("size: 10 kB")).transfers
    assert "protocol" not in transfer


@pytest.mark.parametrize(
    ("upload", "origin", "problem"),
    [
        ("protocol: http/3", "protocols: [http/1.1]", r"0.protocol: the origin origin, which serves t.co, does not"),
        (
            "protocol: http/2",
            "protocols: [http/1.1, http/3]",
            r"0.protocol: the origin origin, which serves t.co,",
        ),
        ("protocol: http/3, size: 129 MB", "protocols: [http/1.1, http/3]", "0.size: too large for http/3: its client"),
    ],
)
def test_an_upload_that_cannot_be_made_is_refused(upload: str, origin: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        first_day(*uploaded(upload, origin))


def test_our_own_server_speaks_http2_where_it_is_asked_for() -> None:
    plan = settle_programs(first_day(*of_newer_protocols("protocol: http/2"), "programs.origin=builtin"))
    assert "http/2" in plan.data["origins"]["origin"]["protocols"]
    assert programs_used(plan)["origin"] == "builtin"
