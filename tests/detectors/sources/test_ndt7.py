from __future__ import annotations

import json
from typing import TYPE_CHECKING

from testbed.detectors.observation import Direction
from testbed.detectors.sources.observe import observe
from tests.detectors.files import ndt7

if TYPE_CHECKING:
    from pathlib import Path


def test_an_ndt7_result_becomes_a_download_with_tcp_info_and_an_upload(tmp_path: Path) -> None:
    path = tmp_path / "ndt7.json"
    path.write_text(json.dumps(ndt7()))
    down, up = observe([path]).transfers
    assert (down.direction, down.times_s.tolist(), down.bytes.tolist()) == (Direction.DOWN, [1.5], [900])
    assert down.tcp_info is not None
    assert down.tcp_info.rtt_s.tolist() == [0.03] * 3
    assert down.tcp_info.delivery_rate_bps.tolist() == [8000.0] * 3
    assert (up.direction, up.bytes.tolist(), up.tcp_info) == (Direction.UP, [7, 14], None)
