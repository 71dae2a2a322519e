from __future__ import annotations

import select
import time

from testbed.middlebox.adapters.alarm import Alarm

PATIENCE_MS = 10_000
FAR_NS = 3_600_000_000_000


def is_readable(alarm: Alarm, wait_ms: int) -> bool:
    poll = select.poll()
    poll.register(alarm.fileno(), select.POLLIN)
    return bool(poll.poll(wait_ms))


def test_it_goes_off_at_an_instant_and_not_before() -> None:
    alarm = Alarm()
    instant_ns = time.time_ns() + 2_000_000
    alarm.set(instant_ns, has_gone_off=False)
    assert is_readable(alarm, PATIENCE_MS)
    assert time.time_ns() >= instant_ns
    alarm.close()


def test_an_instant_that_has_passed_sets_it_off_at_once_also_when_it_is_set_again() -> None:
    alarm = Alarm()
    for _ in range(2):
        alarm.set(1, has_gone_off=True)
        assert is_readable(alarm, PATIENCE_MS)
    alarm.close()


def test_setting_it_anew_silences_it() -> None:
    alarm = Alarm()
    alarm.set(1, has_gone_off=True)
    assert is_readable(alarm, PATIENCE_MS)
    alarm.set(time.time_ns() + FAR_NS, has_gone_off=True)
    assert not is_readable(alarm, 0)
    alarm.set(None, has_gone_off=False)
    assert not is_readable(alarm, 0)
    alarm.close()
