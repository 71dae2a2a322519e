"""Downloads as an ndt7 client would have recorded them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from testbed.detectors.observation import Direction
from testbed.detectors.outputs.ndt7_json import ndt7_result
from testbed.detectors.sources.observe import observe
from tests.detectors.build import MARCH_10_S, transfer

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.detectors.observation import Transfer


def download(count: int, **changes: Any) -> Transfer:
    made = transfer("line/1", [0.1, *(0.2 + 0.1 * number for number in range(count))], [3000, *[1000] * count])
    known: dict[str, Any] = {"connect_s": 0.05, "handshake_s": 0.1}
    return replace(made, **(known | changes))


def result(item: Transfer) -> Any:
    return ndt7_result(item, begun_ns=round(MARCH_10_S * 1e9), version="1")


def test_the_counter_of_a_download_is_read_back(tmp_path: Path) -> None:
    item = download(50, started_s=2.0)
    (tmp_path / "one.json").write_text(json.dumps(result(item)))
    [found] = observe([tmp_path / "one.json"]).transfers
    assert (found.direction, found.total_bytes) == (Direction.DOWN, 50_000)  # without the handshake's
    assert found.duration_s == pytest.approx(5.1 - 0.15, abs=1e-5)
    assert found.goodput_bps == pytest.approx(80_000, rel=0.05)
    assert result(item)["Download"]["StartTime"] == "2021-03-10T00:00:02.150000Z"
    assert result(item) == result(item)


def test_it_ends_after_ten_seconds(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(result(download(300))))
    [found] = observe([tmp_path / "one.json"]).transfers
    assert found.duration_s == pytest.approx(10.0)
    assert found.total_bytes == 100_000


def test_uploads_and_what_moved_nothing_are_left_out() -> None:
    assert result(download(9)) is not None
    assert result(download(9, direction=Direction.UP)) is None
    assert result(transfer("x", [], [])) is None
