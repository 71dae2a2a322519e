"""A recording is replayed as it was; its control differs in every byte and in nothing else."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import RecordError
from testbed.traffic.recording import Message, Recording

if TYPE_CHECKING:
    from pathlib import Path

PIECES = st.lists(st.builds(Message, st.sampled_from(["up", "down"]), st.binary(min_size=1, max_size=40)), max_size=12)
SESSION = [Message("up", b"hello"), Message("down", b"certificate"), Message("up", b"GET"), Message("down", b"i" * 100)]


@given(PIECES)
def test_joining_keeps_every_byte_and_leaves_no_two_neighbours_of_one_direction(pieces: list[Message]) -> None:
    joined = Recording.of("a", pieces)
    for way in ("up", "down"):
        assert b"".join(each.payload for each in joined.messages if each.direction == way) == b"".join(
            each.payload for each in pieces if each.direction == way
        )
    ways = [each.direction for each in joined.messages]
    assert all(first != second for first, second in itertools.pairwise(ways))


@given(PIECES)
def test_the_control_has_the_same_shape_and_no_byte_in_common(pieces: list[Message]) -> None:
    recording = Recording.of("a", pieces)
    control = recording.inverted()
    assert [(each.direction, len(each.payload)) for each in control.messages] == [
        (each.direction, len(each.payload)) for each in recording.messages
    ]
    for ours, theirs in zip(recording.messages, control.messages, strict=True):
        assert all(first ^ second == 0xFF for first, second in zip(ours.payload, theirs.payload, strict=True))
    assert control.inverted() == recording


def test_as_an_upload_the_client_sends_the_largest_download_after_all_that_came_before_it() -> None:
    assert Recording.of("a", SESSION).as_upload().messages == (
        Message("up", b"hello"),
        Message("down", b"certificate"),
        Message("up", b"GET" + b"i" * 100),
    )


@given(PIECES.filter(lambda pieces: any(each.direction == "down" for each in pieces)))
def test_an_upload_never_ends_with_a_download_and_keeps_the_largest(pieces: list[Message]) -> None:
    recording = Recording.of("a", pieces)
    upload = recording.as_upload()
    largest = max(len(each.payload) for each in recording.messages if each.direction == "down")
    assert upload.messages[-1].direction == "up"
    assert upload.bytes_in("up") >= largest


@pytest.mark.parametrize(("way", "size"), [("up", 8), ("down", 111), ("none", 0)])
def test_bytes_are_counted_by_direction(way: str, size: int) -> None:
    assert Recording.of("a", SESSION).bytes_in(way) == size


@given(PIECES, st.text(max_size=10))
def test_what_is_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, pieces: list[Message], sni: str) -> None:
    path = tmp_path_factory.mktemp("recordings") / "a.json"
    recording = Recording.of(sni, pieces)
    recording.save(path)
    assert Recording.load(path) == recording


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "not a recording: .*No such file or directory"),
        ("", "not a recording"),
        ('{"format": 1, "sn', "not a recording"),
        ("[]", "not a recording"),
        ("{}", "not a recording: 'format'"),
        ('{"format": 2}', r"recording format 2 is unknown \(known: 1\)"),
        ('{"format": 1, "sni": "a"}', "not a recording: 'messages'"),
        ('{"format": 1, "sni": "a", "messages": [["up"]]}', "not a recording"),
        ('{"format": 1, "sni": "a", "messages": [["up", "!"]]}', "not a recording"),
        ('{"format": 1, "sni": "a", "messages": [["up", 7]]}', "not a recording"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecordError, match=rf"a\.json: {problem}"):
        Recording.load(path)


def test_a_recording_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    Recording.of("a", SESSION).save(path)
    text = path.read_text()
    assert json.loads(text)["sni"] == "a"
    for size in range(len(text)):
        path.write_text(text[:size])
        with pytest.raises(RecordError, match="not a recording"):
            Recording.load(path)
