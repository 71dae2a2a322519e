"""Both ends of conversations, over the loopback interface: what takes no raw socket."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from testbed.middlebox.packet import Direction, Packet, address_text
from testbed.records.jsonl import LineWriter, read_lines
from testbed.traffic import far_end, near_end
from testbed.traffic.connection import Connection, TransferError, family_of
from testbed.traffic.conversation import DatagramPassage, Give, Passage, Take
from testbed.traffic.far_end import converse, prepare
from testbed.traffic.log import TransferLog
from testbed.traffic.near_end import NearEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testbed.traffic.conversation import Order, Talk

HOST, HOST6 = "127.0.0.1", "::1"
both_ips = pytest.mark.parametrize("host", [HOST, HOST6])


def free_port(host: str = HOST) -> int:
    with socket.socket(family_of(host)) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def new_log(tmp_path: Path) -> Iterator[Callable[[str], TransferLog]]:
    writers: list[LineWriter] = []

    def make(side: str) -> TransferLog:
        writers.append(LineWriter(tmp_path / "measurements.jsonl"))
        return TransferLog(writers[-1], transfer="t", side=side, start_ns=0)

    yield make
    for writer in writers:
        writer.close()


class FarEnd:
    """Listens, and holds the conversation that was announced, in a thread."""

    def __init__(self, log: TransferLog, host: str = HOST) -> None:
        self._log = log
        self._host = host
        self._listening = socket.create_server((host, 0), family=family_of(host))
        self.port: int = self._listening.getsockname()[1]
        self.order: Order | None = None
        self._thread = threading.Thread(target=self._serve)

    def announce(self, port: int, order: Order) -> None:
        self.order = order
        part = prepare(order, (self._host, port))
        if part is not None:
            self._thread = threading.Thread(target=part, args=(self._log,))
        self._thread.start()

    def _serve(self) -> None:
        accepted, _ = self._listening.accept()
        assert self.order is not None
        converse(accepted, self.order, self._log)

    def close(self) -> None:
        self._thread.join(10)
        self._listening.close()
        assert not self._thread.is_alive()


def hold(passage: Passage, new_log: Callable[[str], TransferLog], host: str = HOST, **options: Any) -> float:
    far = FarEnd(new_log("server"), host)
    near = NearEnd(address=host, far=host, announce=far.announce)
    log = new_log("client")
    try:
        passage = Passage(
            steps=passage.steps, send=passage.send, opens=passage.opens, port=far.port, patience_s=passage.patience_s
        )
        settings: dict[str, Any] = {"size": 50_000, "timeout_s": 5, **options}
        return near.hold(passage, transfer="t", port=free_port(host), log=log, **settings)
    finally:
        far.close()
        log.flush()


@both_ips
def test_a_conversation_ends_with_the_object(new_log: Callable[[str], TransferLog], tmp_path: Path, host: str) -> None:
    def send(talk: Talk) -> None:
        talk.send(b"question")
        assert talk.receive(6) == b"answer"
        talk.send(b"thanks")
        talk.settle()

    passage = Passage(steps=(Take(8), Give(b"answer"), Take(6)), send=send)
    assert hold(passage, new_log, host) > 0
    events = list(read_lines(tmp_path / "measurements.jsonl"))
    client = [each["event"] for each in events if each["side"] == "client" and each["event"] != "tcp_info"]
    assert client[:3] == ["started", "connected", "download"]
    totals = [each["totals"] for each in events if each["event"] == "bytes"]
    assert totals[-1][-1] == 50_000


@both_ips
def test_the_far_end_may_open_the_connection(new_log: Callable[[str], TransferLog], tmp_path: Path, host: str) -> None:
    passage = Passage(steps=(Take(5),), send=lambda talk: talk.send(b"hello"), opens="far")
    assert hold(passage, new_log, host) > 0
    [connected] = [each for each in read_lines(tmp_path / "measurements.jsonl") if each["event"] == "connected"]
    assert (connected["local"][0], connected["remote"][0], len(connected["local"])) == (host, host, 2)


@pytest.fixture
def quic_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another port than 443, which takes root."""
    port = free_port()
    monkeypatch.setattr(near_end, "HTTPS", port)
    monkeypatch.setattr(far_end, "HTTPS", port)


@both_ips
@pytest.mark.usefixtures("quic_port")
def test_datagrams_are_answered_with_the_object(new_log: Callable[[str], TransferLog], host: str) -> None:
    assert exchange(DatagramPassage((b"first", b"second")), new_log, host, size=5000) > 0


@pytest.mark.usefixtures("quic_port")
def test_lost_datagrams_are_missed(new_log: Callable[[str], TransferLog], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_end, "_SILENCE_S", 0.1)
    monkeypatch.setattr(far_end, "object_pieces", lambda count, piece: [bytes(piece)] * (count // piece - 1))
    with pytest.raises(TransferError, match=r"3600 of 4800 bytes came; then nothing for 0.1 s"):
        exchange(DatagramPassage((b"only",)), new_log, size=4800)


def exchange(passage: DatagramPassage, new_log: Callable[[str], TransferLog], host: str = HOST, *, size: int) -> float:
    far = FarEnd(new_log("server"), host)
    near = NearEnd(address=host, far=host, announce=far.announce)
    try:
        return near.hold(passage, transfer="t", port=free_port(host), size=size, timeout_s=5, log=new_log("client"))
    finally:
        far.close()


def test_an_object_that_comes_with_the_hello_takes_no_time(new_log: Callable[[str], TransferLog]) -> None:
    passage = Passage(steps=(Give(b"hello"),), send=lambda talk: [talk.receive(5)].clear())
    assert hold(passage, new_log, size=1) > 0


def test_a_download_that_takes_too_long_is_broken_off(new_log: Callable[[str], TransferLog]) -> None:
    passage = Passage(steps=(Take(5),), send=lambda talk: talk.send(b"hell"))  # the far end waits for one byte more
    with pytest.raises(TransferError, match="timed out while waiting for data"):
        hold(passage, new_log, download_s=0.05)


def test_a_far_end_that_closes_early_is_reported(
    new_log: Callable[[str], TransferLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FarEnd, "_serve", lambda self: self._listening.accept()[0].close())
    with pytest.raises(TransferError, match=r"far end closed the connection after 0 of 50000 bytes|reset"):
        hold(Passage(steps=(), send=lambda _: None), new_log)
    with pytest.raises(TransferError, match="3 bytes are missing"):
        hold(Passage(steps=(), send=lambda talk: [talk.receive(3)].clear()), new_log)


def test_a_segment_over_ipv6_goes_on_where_the_connection_is(
    monkeypatch: pytest.MonkeyPatch, new_log: Callable[[str], TransferLog]
) -> None:
    """Sequence numbers take a privilege, so they are given here; the rest is the connection's."""
    monkeypatch.setattr(Connection, "sequence_numbers", lambda _: (4_000_000_000, 7))
    made: list[Packet] = []

    def send(talk: Talk) -> None:
        made.append(Packet.parse(talk.segment(b"x" * 5, ttl=3), Direction.UP))
        talk.send(b"hello")

    hold(Passage(steps=(Take(5),), send=send), new_log, HOST6)
    [packet] = made
    assert (packet.version, packet.ttl, packet.seq, packet.ack, packet.payload) == (6, 3, 4_000_000_000, 7, b"x" * 5)
    assert (address_text(packet.src), address_text(packet.dst), packet.malformed) == (HOST6, HOST6, None)
