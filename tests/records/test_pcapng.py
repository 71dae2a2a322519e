"""Written captures are what pcapng readers read: ours, and dpkt."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.records.capture_file import Frame, read_frames
from testbed.records.pcapng import write_pcapng

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = b"CLIENT_RANDOM 00 11\n"
FRAMES = [Frame(1, 1_615_366_800_000_000_001, 1, b"\x01" * 60), Frame(2, 1_615_366_801_999_999_999, 1, b"\x02" * 61)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.pcapng"


def read(path: Path) -> list[Frame]:
    with path.open("rb") as file:
        return list(read_frames(file))


def test_frames_come_back_with_nanoseconds(path: Path) -> None:
    assert write_pcapng(path, FRAMES, interface="box", secrets=b"", comments={}) == 2
    assert read(path) == FRAMES


def test_dpkt_reads_the_same_bytes(path: Path) -> None:
    write_pcapng(path, FRAMES, interface="box", secrets=SECRETS, comments={2: "dropped by box"})
    with path.open("rb") as file:
        read_by_dpkt = [(t, bytes(data)) for t, data in dpkt.pcapng.Reader(file)]
    assert [data for _, data in read_by_dpkt] == [each.data for each in FRAMES]
    assert [float(t) for t, _ in read_by_dpkt] == [pytest.approx(each.t_ns / 1e9, abs=1e-6) for each in FRAMES]


def blocks(path: Path) -> list[tuple[int, bytes]]:
    data, found, at = path.read_bytes(), [], 0
    while at < len(data):
        kind, length = struct.unpack_from("=II", data, at)
        assert length % 4 == 0
        assert struct.unpack_from("=I", data, at + length - 4) == (length,)
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def test_the_secrets_come_before_the_first_packet(path: Path) -> None:
    write_pcapng(path, FRAMES, interface="box", secrets=SECRETS, comments={})
    found = blocks(path)
    assert [kind for kind, _ in found] == [0x0A0D0D0A, 1, 10, 6, 6]
    assert struct.unpack_from("=II", found[2][1]) == (0x544C534B, len(SECRETS))
    assert SECRETS in found[2][1]


def test_without_secrets_there_is_no_block_for_them(path: Path) -> None:
    write_pcapng(path, FRAMES, interface="box", secrets=b"", comments={})
    assert [kind for kind, _ in blocks(path)] == [0x0A0D0D0A, 1, 6, 6]


def test_a_comment_is_on_its_packet_and_on_no_other(path: Path) -> None:
    write_pcapng(path, FRAMES, interface="box", secrets=b"", comments={2: "dropped by box"})
    assert [b"dropped by box" in body for kind, body in blocks(path) if kind == 6] == [False, True]


def test_a_capture_appears_only_when_it_is_complete(path: Path) -> None:
    def broken() -> list[Frame]:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_pcapng(path, (each for _ in range(1) for each in broken()), interface="box", secrets=b"", comments={})
    assert not path.exists()


@given(
    st.lists(st.tuples(st.integers(0, 2**63 - 1), st.binary(max_size=80)), max_size=4),
    st.text(max_size=10), st.binary(max_size=10), st.dictionaries(st.integers(1, 4), st.text(max_size=10)),
)  # fmt: skip
def test_any_frames_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    packets: list[tuple[int, bytes]],
    interface: str,
    secrets: bytes,
    comments: dict[int, str],
) -> None:
    path = tmp_path_factory.mktemp("captures") / "a.pcapng"
    frames = [Frame(number, t_ns, 1, data) for number, (t_ns, data) in enumerate(packets, 1)]
    assert write_pcapng(path, frames, interface=interface, secrets=secrets, comments=comments) == len(frames)
    assert read(path) == frames
