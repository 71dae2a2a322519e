"""What RED is given for a queue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.netlink.queue import Queue
from testbed.netlink.red import LEAST_RED_BYTES, MOST_RED_BYTES, read_red, red_options, red_parameters


@given(st.integers(LEAST_RED_BYTES, MOST_RED_BYTES))
def test_every_queue_has_parameters_that_the_kernel_takes(limit: int) -> None:
    found = red_parameters(limit)
    assert 0 < found.least < found.most < limit
    assert found.weight_log >= 1
    # red_check_params in include/net/red.h
    assert found.most.bit_length() + found.weight_log < 32
    options = red_options(limit)
    assert read_red(options) == found
    assert max(options[4 + 16 + 4 : 4 + 16 + 4 + 256]) < 32


def test_a_known_queue() -> None:
    # tc qdisc add ... red limit 60000 min 10000 max 30000 avpkt 1000 burst 16 probability 0.1: ewma 3
    found = red_parameters(60_000)
    assert (found.least, found.most) == (10_000, 30_000)
    assert found.share == pytest.approx(0.1 * 2**32, abs=1)
    burst, wanted = 50 / 3, 50 / 3 + 1 - 10
    logs = [log for log in range(1, 32) if wanted <= (1 - (1 - 2.0**-log) ** burst) * 2**log]
    assert found.weight_log == logs[0]


def test_what_is_read_back_is_compared_with_what_was_asked_for() -> None:
    asked = Queue("red", 60_000)
    read = Queue.from_options("red", asked.options())
    assert read is not None
    assert asked.is_like(read)
    assert not Queue("red", 70_000).is_like(read)
