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


def test_a_folder_is_no_capture(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="Is a directory"), opened(Path(tmp_path)):
        pass
