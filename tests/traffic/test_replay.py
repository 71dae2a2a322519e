"""Both ends of a replay, on this machine; in a guest they are part of every first day."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.traffic import replay as replaying
from testbed.traffic.connection import Connection, TransferError
from testbed.traffic.recording import Message, Recording
from testbed.traffic.replay import _play, announce_to, load_variant, replay
from tests.traffic.conftest import LOCALHOST, KeptLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.traffic.conversation import Order

SESSION = Recording.of(
    "abs.twimg.com",
    [Message("up", b"hello"), Message("down", b"cert"), Message("up", b"GET"), Message("down", bytes(200_000))],
)


@pytest.mark.parametrize(
    ("direction", "inverted", "ways", "first"),
    [
        ("download", False, ["up", "down", "up", "down"], b"hello"),
        ("download", True, ["up", "down", "up", "down"], bytes(255 - each for each in b"hello")),
        ("upload", False, ["up", "down", "up"], b"hello"),
        ("upload", True, ["up", "down", "up"], bytes(255 - each for each in b"hello")),
    ],
)
def test_a_variant_is_turned_and_inverted_as_asked(
    tmp_path: Path, direction: str, *, inverted: bool, ways: list[str], first: bytes
) -> None:
    SESSION.save(tmp_path / "a.json")
    variant = load_variant(tmp_path / "a.json", direction=direction, inverted=inverted)
    assert [each.direction for each in variant.messages] == ways
    assert variant.messages[0].payload == first


def play_both(recording: Recording, folder: Path) -> tuple[KeptLog, KeptLog]:
    """Play both ends over a connection of this machine; what each noted."""
    client, server = KeptLog(folder / "client.jsonl"), KeptLog(folder / "server.jsonl")
    with socket.create_server((LOCALHOST, 0)) as listening, ThreadPoolExecutor(1) as pool:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
        pairs = ((near, client), (far, server))
        ends = [Connection(each, deadline=kept.log.now() + 20, log=kept.log) for each, kept in pairs]
        played = pool.submit(_play, ends[1], recording, ours="down", log=server.log, count="up")
        _play(ends[0], recording, ours="up", log=client.log, count="down")
        played.result(20)
        for end in ends:
            end.close()
    return client, server


def test_both_ends_play_their_part_and_count_what_they_received(tmp_path: Path) -> None:
    client, server = play_both(SESSION, tmp_path)
    assert client.records("bytes")[-1]["totals"][-1] == SESSION.bytes_in("down")
    assert server.records("bytes")[-1]["totals"][-1] == SESSION.bytes_in("up")


@settings(max_examples=25)
@given(st.lists(st.builds(Message, st.sampled_from(["up", "down"]), st.binary(min_size=1, max_size=3000)), max_size=8))
def test_any_session_can_be_replayed(tmp_path_factory: pytest.TempPathFactory, pieces: list[Message]) -> None:
    recording = Recording.of("a", pieces)
    client, server = play_both(recording, tmp_path_factory.mktemp("replay"))
    for kept, way in ((client, "down"), (server, "up")):
        totals = [total for each in kept.records("bytes") for total in each["totals"]]
        assert (totals or [0])[-1] == recording.bytes_in(way)


def test_a_peer_that_leaves_early_is_a_failed_transfer_with_what_is_missing(
    kept: KeptLog, serve: Callable[[Callable[[socket.socket], None]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(peer: socket.socket) -> None:
        peer.recv(5)
        peer.sendall(b"ce")

    monkeypatch.setattr(replaying, "PORT", serve(answer))
    announced: list[int] = []
    with pytest.raises(TransferError, match="the peer closed the connection; 2 bytes of a message are missing"):
        replay(SESSION, LOCALHOST, announce=announced.append, local_port=0, timeout_s=20, log=kept.log, count="down")
    assert announced == [0]


def test_a_replay_is_announced_before_anything_is_sent(kept: KeptLog) -> None:
    def refuse(_: int) -> None:
        raise TransferError("nobody listens")

    with pytest.raises(TransferError, match="nobody listens"):
        replay(SESSION, LOCALHOST, announce=refuse, local_port=0, timeout_s=20, log=kept.log, count="down")
    assert kept.events() == []


ORDER: Order = {"id": "t", "steps": [], "opens": "near", "protocol": "tcp", "timeout_s": 3.0}


@pytest.mark.parametrize(("answer", "taken"), [(b"+", True), (b"-", False), (b"", False)])
def test_an_announcement_has_to_be_taken(tmp_path: Path, answer: bytes, *, taken: bool) -> None:
    control = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor(1) as pool:
        listening.bind(str(control))
        listening.listen()
        announced = pool.submit(announce_to(control, "100.64.0.1", ORDER), 20_000)
        line, _ = listening.accept()
        with line:
            assert json.loads(line.recv(1000)) == {"peer": ["100.64.0.1", 20000], "transfer": ORDER}
            line.sendall(answer)
        if taken:
            announced.result(20)
        else:
            with pytest.raises(TransferError, match="did not take the announcement"):
                announced.result(20)
