from __future__ import annotations

import gzip
import io
import lzma
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.capture import read_capture
from testbed.errors import CaptureError
from testbed.records.byte_stream import ByteStream, opened, watching
from tests.capture.frames import START_US, Stamped, ethernet, pcap, tcp

if TYPE_CHECKING:
    from collections.abc import Callable

CAPTURE = pcap([Stamped(START_US + i, ethernet(tcp(seq=i * 100, payload=bytes(100)))) for i in range(50)])


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_a_pipe_is_read_as_a_file_is(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(compress(CAPTURE),))
    writer.start()
    (flow,) = read_capture(pipe).flows
    writer.join()
    assert len(flow) == 50


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(CAPTURE))))
    (flow,) = read_capture("-").flows
    assert len(flow) == 50


def test_who_waits_is_told_how_far_reading_got() -> None:
    told: list[tuple[str, int]] = []
    with watching(lambda name, size: told.append((name, size))):
        stream = ByteStream(io.BytesIO(b"x" * 1000), "file")
        while stream.read(300):
            pass
    stream.read(1)
    assert told[:4] == [("file", 300), ("file", 600), ("file", 900), ("file", 1000)]


@pytest.mark.parametrize(
    "content",
    [
        pcap([]) + bytes(4 << 20),
        pcap([]) + bytes.fromhex("00f14860 01000000 00000000 64000000") * 150_000,
        pcap([Stamped(START_US, ethernet(tcp()))]) + bytes(4 << 20),
    ],
    ids=["zeros", "records with a time but no byte", "zeros after a packet"],
)
def test_a_capture_of_empty_records_is_refused_early(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "zeros.pcap.gz"
    path.write_bytes(gzip.compress(content + bytes(200 << 20)))
    read: list[int] = []
    with (
        watching(lambda _name, size: read.append(size)),
        pytest.raises(CaptureError, match=r"damaged at byte \d+: .* hold nothing"),
    ):
        read_capture(path)
    assert max(read) < 20 << 20


def test_a_folder_is_no_capture(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="Is a directory"), opened(Path(tmp_path)):
        pass
