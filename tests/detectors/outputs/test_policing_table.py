from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.detectors.outputs.policing_table import policing_rows_json
from tests.detectors.files import connection, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("ending", ["x.pcap", "x.pcap.xz.gz", "x"])
def test_pds_rows_carry_the_fields_of_the_published_table(tmp_path: Path, ending: str) -> None:
    (value,) = policing_rows_json([write(tmp_path / ending, connection(at_server=True))])
    assert list(value)[:10] == [
        "name",
        "flow",
        "segment",
        "direction",
        "packets",
        "losses",
        "policed_cutoff0",
        "result_cutoff0",
        "policed_cutoff2",
        "result_cutoff2",
    ]
    assert (value["name"], value["direction"], value["packets"]) == ("x", "b2a", 10)
    assert (value["policed_cutoff0"], value["result_cutoff0"]) == (False, "[code 1, null, null]")
    assert (value["code_cutoff2"], value["rate_bps_cutoff2"], value["burst_bytes_cutoff2"]) == (1, None, None)
