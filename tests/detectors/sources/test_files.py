from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from testbed.detectors.sources.files import distinct_names, read_text
from testbed.errors import InputError

TEXT = "время,speed\n1,2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_a_text_is_read_by_its_mark_and_unpacked(tmp_path: Path, encoding: str, compress: type[bytes]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(compress(TEXT.encode(encoding)))
    assert read_text(path) == TEXT


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_either_byte_order_is_read(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(mark + TEXT.encode("utf-16-le" if mark[0] == 0xFF else "utf-16-be"))
    assert read_text(path) == TEXT


def test_what_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"one\ntwo\nthr\xffee\n")
    with pytest.raises(InputError, match=r"a\.csv line 3: cannot be read as utf-8: .*convert it with iconv"):
        read_text(path)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_a_compressed_file_that_was_cut_short_is_refused(tmp_path: Path, compress: type[bytes]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(compress(TEXT.encode() * 100)[:-9])
    with pytest.raises(InputError, match="cut short; fetch it again"):
        read_text(path)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.pcap", "b/y.pcap"], ["x.pcap", "y.pcap"]),
        (["a/x.pcap", "b/x.pcap"], ["a/x.pcap", "b/x.pcap"]),
        (["a/m/x.pcap", "b/m/x.pcap", "c/x.pcap"], ["a/m/x.pcap", "b/m/x.pcap", "c/x.pcap"]),
        (["r/a/m/x", "r/b/m/x"], ["a/m/x", "b/m/x"]),
        (["x", "y/x"], ["x", "y/x"]),
    ],
)
def test_a_file_is_called_by_as_many_parts_as_tell_it_apart(paths: list[str], names: list[str]) -> None:
    assert list(distinct_names([Path(path) for path in paths]).values()) == names
