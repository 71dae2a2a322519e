"""The bench that rows are tried on: a connection as the box sees it, and what it says of a box."""

from __future__ import annotations

from testbed.conformance.bench import MSS, NS_PER_S, Bench, Connection
from testbed.middlebox.events import FlowOpened
from testbed.middlebox.packet import ACK, FIN, RST, SYN, Direction
from tests.middlebox.build import client_hello, profile

UP, DOWN = Direction.UP, Direction.DOWN


def test_a_connection_counts_as_tcp_does() -> None:
    connection = Connection()
    syn, answer, ack = connection.handshake()
    assert (syn.flags, answer.flags, ack.flags) == (SYN, SYN | ACK, ACK)
    assert (answer.ack, ack.seq, ack.ack) == (syn.seq + 1, syn.seq + 1, answer.seq + 1)
    first, second = connection.up(b"hello"), connection.up(b"x")
    assert second.seq == first.seq + 5
    assert connection.down(b"y").ack == second.seq + 1
    assert (connection.fin(UP).flags, connection.rst(DOWN).flags) == (FIN | ACK, RST)
    assert connection.packet(UP).seq == second.seq + 2  # the FIN took a number
    assert first.key == answer.key


def test_a_bench_keeps_time_and_what_happened() -> None:
    bench = Bench(profile()).connect()
    assert bench.now_ns == 3 * NS_PER_S // 1000
    bench.wait(2.5)
    bench.up(b"x")
    assert bench.now_ns == 2_504_000_000
    assert [event.flow for event in bench.of_type(FlowOpened)] == [1]


def test_a_bench_tells_a_throttled_flow_from_a_free_one() -> None:
    throttled = Bench(profile()).connect().up(client_hello("twitter.com"))
    assert throttled.throttles()
    assert throttled.loses(DOWN, packets=5) == 5
    free = Bench(profile()).connect().up(client_hello("example.org")).down(bytes(MSS))
    assert (free.throttles(), free.loses(DOWN)) == (False, 0)
