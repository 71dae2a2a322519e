"""What the rows on freezes measure with; tests/conformance/test_published_rows.py tries the rows themselves."""

from __future__ import annotations

import pytest

from testbed.conformance.bench import MSS, Bench, Connection
from testbed.conformance.freezes import download
from tests.middlebox.build import client_hello, profile


@pytest.mark.parametrize(("packets", "segments"), [(25, 14), (24, 14), (10, 4), (5, 1), (4, 0)])
def test_of_a_download_every_second_segment_costs_an_acknowledgement_too(packets: int, segments: int) -> None:
    changes = {"trigger__share": 1.0, "meter__packet_quota": {"packets": packets}}
    bench = Bench(profile("ru-l4-25", **changes), connection=Connection(outside="198.51.100.1"))
    assert download(bench.connect().up(client_hello("example.org"))) == segments * MSS
