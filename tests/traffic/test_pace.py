"""A pace is kept whenever its owner wakes up; a buffer has the size that was asked for, or there is an error."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from testbed.errors import GuestError
from testbed.traffic.pace import Pace, set_pacing, set_receive_buffer, set_send_buffer

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_pace_is_kept_over_late_wake_ups() -> None:
    pace, now, sent = Pace(400_000, 0.0), 0.0, 0
    for _ in range(250):
        now += pace.delay(now) + 0.003  # every wake-up is late
        pace.spend(1000, now)
        sent += 1000
    assert sent * 8 / now == pytest.approx(400_000, rel=0.01)


def test_what_a_long_stop_left_out_is_not_made_good() -> None:
    pace = Pace(8000, 0.0)
    pace.spend(1000, 10.0)
    assert pace.delay(10.0) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("set_buffer", "option"), [(set_send_buffer, socket.SO_SNDBUF), (set_receive_buffer, socket.SO_RCVBUF)]
)
def test_a_buffer_has_the_size_that_was_asked_for(
    set_buffer: Callable[[socket.socket, int], None], option: int
) -> None:
    with socket.socket() as of:
        set_buffer(of, 8000)
        assert of.getsockopt(socket.SOL_SOCKET, option) == 16_000
        with pytest.raises(GuestError, match="a socket's buffer of 100 bytes was asked for, and the kernel gave"):
            set_buffer(of, 100)


def test_pacing_is_read_back() -> None:
    with socket.socket() as of:
        set_pacing(of, 4_000_000)
        assert of.getsockopt(socket.SOL_SOCKET, 47) == 500_000
