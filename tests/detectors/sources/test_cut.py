"""An observation whose transfers were stopped: nothing later is in it, and nothing else is changed."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.observation import Ending, TcpInfo
from testbed.detectors.sources.cut import stopped_after
from testbed.detectors.sources.observation_json import observation_from_json, observation_to_json
from tests.validation.cells import observation


@given(st.floats(0.01, 10))
def test_nothing_later_is_in_it(seconds: float) -> None:
    whole = observation(target_bps=100_000, control_bps=4e6)  # 8 s and 0.2 s
    for before, after in zip(whole.transfers, stopped_after(whole, seconds).transfers, strict=True):
        assert (after.times_s <= max(seconds, 0.2 if before.role == "control" and seconds >= 0.2 else 0)).all()
        assert (after.bytes == before.bytes[: len(after.bytes)]).all()
        is_over = before.ended_s is not None and before.ended_s <= seconds
        assert (after == before) is is_over if is_over else after.ending is Ending.UNKNOWN
        assert after.ended_s == (before.ended_s if is_over else seconds)


def test_what_is_stopped_later_than_it_ends_is_as_it_was() -> None:
    whole = observation()
    assert observation_to_json(stopped_after(whole, 100.0)) == observation_to_json(whole)


def test_stopping_twice_is_stopping_once() -> None:
    whole = observation()
    assert observation_to_json(stopped_after(stopped_after(whole, 4.0), 1.0)) == observation_to_json(
        stopped_after(whole, 1.0)
    )


def test_handshakes_samples_and_packets_are_cut_too() -> None:
    (target, _) = observation().transfers
    column = np.arange(8, dtype=np.float64)
    names = [field.name for field in fields(TcpInfo)]
    info = TcpInfo(**{name: column for name in names if name != "sndbuf_limited_s"})
    whole = replace(observation(), transfers=(replace(target, connect_s=1.0, handshake_s=2.0, tcp_info=info),))
    (early,) = stopped_after(whole, 2.5).transfers
    assert (early.connect_s, early.handshake_s) == (1.0, None)  # which would have ended at 3 s
    assert early.tcp_info is not None
    assert early.tcp_info.times_s.tolist() == [0.0, 1.0, 2.0]
    assert early.tcp_info.sndbuf_limited_s is None
    (later,) = stopped_after(whole, 3.0).transfers
    assert (later.connect_s, later.handshake_s) == (1.0, 2.0)
    (none,) = stopped_after(whole, 0.5).transfers
    assert (none.connect_s, none.total_bytes) == (None, 6000)
    assert observation_from_json(observation_to_json(stopped_after(whole, 0.5))).transfers[0].connect_s is None


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_stopped_at_once_is_nothing(seconds: float) -> None:
    assert {each.total_bytes for each in stopped_after(observation(), seconds).transfers} == {0}
