"""Classic pcap: what is written is what a reader finds, ours and another's."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.records.capture_file import Frame, read_frames
from testbed.records.pcap_writer import write_pcap

if TYPE_CHECKING:
    from pathlib import Path

FRAMES = st.lists(
    st.builds(
        lambda t_us, data, cut: Frame(0, t_us * 1000, 1, data, len(data) + cut if cut else 0),
        st.integers(0, (1 << 32) * 1_000_000 - 1), st.binary(min_size=14, max_size=60), st.integers(0, 9),
    ),
    max_size=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pcap") / "one.pcap"


@given(frames=FRAMES)
def test_frames_are_read_back(path: Path, frames: list[Frame]) -> None:
    assert write_pcap(path, frames) == len(frames)
    with path.open("rb") as file:
        found = [(each.t_ns, each.data, each.length) for each in read_frames(file)]
    assert found == [(each.t_ns, each.data, each.length) for each in frames]


def test_another_program_reads_it(path: Path) -> None:
    write_pcap(path, [Frame(1, 1_615_366_800_123_456_789, 1, b"x" * 60, 1500)])
    [(time, data)] = list(dpkt.pcap.Reader(io.BytesIO(path.read_bytes())))
    assert float(time) == pytest.approx(1_615_366_800.123456, abs=1e-6)
    assert data == b"x" * 60
