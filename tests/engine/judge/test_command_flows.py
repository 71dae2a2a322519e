"""The flows of a command, from its client's capture: their ends, their bytes, their names, and how they ended."""

from __future__ import annotations

import socket

import pytest

from testbed.engine.judge.command_flows import CommandFlow, flow_records, flows_of, planned_transfers
from testbed.middlebox.craft import tcp_segment, udp_datagram
from testbed.middlebox.packet import ACK, FIN, PSH, RST, SYN
from testbed.traffic.hello import client_hello

START_NS = 1_615_366_800_000_000_000
CLIENT, SERVER = "100.64.0.1", "198.51.100.6"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::6"
OURS, THEIRS = 50_000, 443
FIRST = 0xFFFFFF00  # the numbers go round within the stream


def up(seq: int, flags: int, payload: bytes = b"", *, ack: int = 0, port: int = OURS) -> bytes:
    return tcp_segment(
        src=socket.inet_aton(CLIENT), dst=socket.inet_aton(SERVER), sport=port, dport=THEIRS,
        seq=(FIRST + seq) % (1 << 32), ack=ack, flags=flags, payload=payload,
    )  # fmt: skip


def down(seq: int, flags: int, payload: bytes = b"", *, ack: int = 0, port: int = OURS) -> bytes:
    return tcp_segment(
        src=socket.inet_aton(SERVER), dst=socket.inet_aton(CLIENT), sport=THEIRS, dport=port,
        seq=(FIRST + seq) % (1 << 32), ack=(FIRST + ack) % (1 << 32), flags=flags, payload=payload,
    )  # fmt: skip


def flows(*packets: bytes) -> list[CommandFlow]:
    """Packets a tenth of a second apart."""
    timed = [(START_NS + number * 100_000_000, packet) for number, packet in enumerate(packets)]
    return flows_of(timed, [CLIENT, CLIENT6], start_ns=START_NS)


OPENING = (up(0, SYN), down(0, SYN | ACK, ack=1))


def test_a_download_counts_what_came_and_once_what_came_twice() -> None:
    [flow] = flows(*OPENING, down(1, ACK, b"x" * 1000), down(1, ACK, b"x" * 1000), down(1001, ACK | FIN, b"y" * 500))
    assert flow.down.totals == [1000, 1500]
    assert flow.down.times == pytest.approx([0.2, 0.4])
    assert [flow.connected, flow.ended] == pytest.approx([0.1, 0.4])
    assert flow.ending == "fin"
    assert not flow.is_upload


def test_an_upload_counts_what_the_server_acknowledged() -> None:
    [flow] = flows(*OPENING, up(1, ACK | PSH, b"x" * 400), down(1, ACK, ack=401), up(401, ACK, b"x" * 400))
    assert flow.up.totals == [400]
    assert flow.is_upload
    [_, _, counted, _] = flow_records([flow], planned_transfers([flow], "mobile", {}))
    assert (counted["side"], counted["event"]) == ("server", "bytes")


@pytest.mark.parametrize(
    ("packets", "error"),
    [
        ((up(0, SYN), up(0, SYN)), "the server did not answer"),
        ((up(0, SYN), down(0, RST | ACK, ack=1)), "connection reset"),
        ((*OPENING, down(1, ACK, b"x"), down(2, RST)), None),
        (OPENING, None),
    ],
    ids=["no answer", "refused", "reset after some bytes", "still open"],
)
def test_a_flow_that_came_to_nothing_says_why(packets: tuple[bytes, ...], error: str | None) -> None:
    found = flows(*packets)
    *_, last = flow_records(found, planned_transfers(found, "mobile", {}))
    assert last["event"] == "finished"
    assert (last["ok"], last["error"]) == (error is None, error)


def test_a_port_is_used_again_once_its_flow_has_ended() -> None:
    assert len(flows(*OPENING, down(1, FIN | ACK), *OPENING)) == 2
    assert len(flows(up(0, SYN), up(0, SYN), OPENING[1])) == 1  # a SYN sent again opens nothing


@pytest.mark.parametrize("at", [1, 60, 200])
def test_the_name_is_read_over_segments_in_any_order(at: int) -> None:
    hello = client_hello("twitter.com")
    [flow] = flows(*OPENING, up(1 + at, ACK, hello[at:]), up(1, ACK, hello[:at]), up(1, ACK, hello[:at]))
    assert flow.server_name == "twitter.com"


@pytest.mark.parametrize(
    ("names", "called"),
    [
        ({"t.co": SERVER}, "t.co port 443"),
        ({"t.co": SERVER, "twitter.com": SERVER}, f"{SERVER} port 443"),
        ({"t.co": "192.0.2.1"}, f"{SERVER} port 443"),
    ],
    ids=["one name", "two names", "none"],
)
def test_a_server_without_a_name_in_the_hello_is_called_by_the_one_that_leads_there(
    names: dict[str, str], called: str
) -> None:
    [transfer] = planned_transfers(flows(*OPENING), "mobile", names.items())
    assert (transfer["id"], transfer["name"], transfer["sni"]) == ("mobile/command-001", called, None)


def test_datagrams_between_two_ports_are_one_exchange() -> None:
    ends = {"sport": OURS, "dport": 53}
    query = udp_datagram(src=socket.inet_aton(CLIENT), dst=socket.inet_aton(SERVER), payload=b"q" * 30, **ends)
    answer = udp_datagram(
        src=socket.inet_aton(SERVER), dst=socket.inet_aton(CLIENT), sport=53, dport=OURS, payload=b"a" * 90
    )
    [flow] = flows(query, answer, query, answer)
    assert (flow.up.total, flow.down.total) == (60, 180)


def test_what_the_client_did_not_open_is_none_of_its_flows() -> None:
    assert flows(down(0, SYN), up(0, SYN | ACK), up(1, ACK, b"x"), b"\x45" + bytes(30)) == []


def test_flows_over_ipv6_are_found_beside_those_over_ipv4() -> None:
    ours, theirs = (socket.inet_pton(socket.AF_INET6, each) for each in (CLIENT6, SERVER6))
    opening = tcp_segment(src=ours, dst=theirs, sport=OURS, dport=THEIRS, seq=FIRST, flags=SYN)
    answer = tcp_segment(src=theirs, dst=ours, sport=THEIRS, dport=OURS, flags=SYN | ACK, ack=FIRST + 1)
    found = flows(OPENING[0], opening, answer, OPENING[1])
    assert [(each.local, each.remote) for each in found] == [
        ((CLIENT, OURS), (SERVER, THEIRS)),
        ((CLIENT6, OURS), (SERVER6, THEIRS)),
    ]
    assert [round(each.connected or 0, 1) for each in found] == [0.3, 0.2]
    names = [("t.co", SERVER), ("t.co", SERVER6)]
    assert [each["name"] for each in planned_transfers(found, "mobile", names)] == ["t.co port 443"] * 2


def test_packets_between_strangers_are_no_flows_of_the_client() -> None:
    one, other = (socket.inet_pton(socket.AF_INET6, f"2001:db8::{end}") for end in (7, 8))
    assert flows(tcp_segment(src=one, dst=other, sport=OURS, dport=THEIRS, seq=FIRST, flags=SYN)) == []
