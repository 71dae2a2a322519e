from __future__ import annotations

import pytest

from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.recognise.tls import recognise
from testbed.traffic.evasion.padding import Padding
from tests.traffic.evasion.talk import played

SEGMENT_BYTES = 1460


@pytest.mark.parametrize("size", [1466, 1600, 16_384])
def test_padding_makes_the_hello_longer_than_a_segment(size: int) -> None:
    [hello] = played(Padding(size=size).passage("twitter.com")).sent()
    assert len(hello) == size
    assert recognise(hello[:SEGMENT_BYTES]) is Outcome.NEED_MORE
    whole = recognise(hello)
    assert isinstance(whole, Hello)
    assert whole.name == "twitter.com"
