from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.observation import Observation, Role, SpeedTable, TcpInfo, Transfer
from tests.detectors.build import observation, steady, transfer


def test_a_table_with_nan_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="NaN"):
        SpeedTable(times_s=np.ones(1), target_bps=np.array([np.nan]), group=np.array(["x"]))
    with pytest.raises(ValueError, match="NaN"):
        transfer("t", [float("nan")], [1])


def timeline(times_s: list[float], cumulative: list[int], **fields: object) -> Transfer:
    made: dict[str, object] = {"times_s": np.array(times_s, np.float64), "bytes": np.array(cumulative, np.int64)}
    return Transfer(id="t", **(made | fields))  # type: ignore[arg-type]  # some are wrong on purpose


@pytest.mark.parametrize(
    ("times_s", "cumulative", "said"),
    [
        ([0.1], [1, 2], r"bytes has shape \(2,\), expected \(1,\)"),
        ([0.2, 0.1], [1, 2], "times_s must not be negative nor decrease"),
        ([-0.1], [1], "times_s must not be negative nor decrease"),
        ([0.1, 0.2], [2, 1], "bytes is cumulative"),
        ([0.1], [-1], "bytes is cumulative"),
        ([float("inf")], [1], "times_s holds NaN or infinite values"),
    ],
)
def test_a_timeline_that_none_can_be_is_refused(times_s: list[float], cumulative: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=f"transfer t: {said}"):
        timeline(times_s, cumulative)


@pytest.mark.parametrize("name", ["started_s", "connect_s", "handshake_s", "ended_s"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_duration_that_none_can_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}, not a duration"):
        timeline([0.1], [1], **{name: value})


@pytest.mark.parametrize("fields", [{"id": 7}, {"server_name": b"twitter.com"}])
def test_a_name_that_is_no_text_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be texts"):
        Transfer(**({"id": "t", "times_s": np.zeros(0), "bytes": np.zeros(0, np.int64)} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times_s", "cumulative", "goodput_bps"),
    [
        ([], [], None),
        ([1.0], [0], None),  # nothing moved
        ([0.0], [1000], None),  # no time passed
        ([1e-10, 1e-10], [1, 2], None),  # nor is it time that a clock can tell
        ([0.5, 2.0], [100, 1000], 4000.0),
    ],
)
def test_goodput_is_over_the_whole_transfer_or_none(
    times_s: list[float], cumulative: list[int], goodput_bps: float | None
) -> None:
    assert timeline(times_s, cumulative).goodput_bps == goodput_bps


def test_samples_of_tcp_info_are_columns_of_one_length_and_never_negative() -> None:
    columns = dict.fromkeys(TcpInfo.__slots__, np.ones(2))
    assert TcpInfo(**columns).busy_s is not None
    mandatory = {name: column for name, column in columns.items() if name != "busy_s"}
    assert TcpInfo(**mandatory).busy_s is None
    with pytest.raises(ValueError, match=r"tcp_info\.rtt_s has shape \(3,\)"):
        TcpInfo(**{**columns, "rtt_s": np.ones(3)})
    with pytest.raises(ValueError, match=r"tcp_info\.rtt_s has negative values"):
        TcpInfo(**{**columns, "rtt_s": np.array([1.0, -1.0])})


def test_transfers_of_one_name_are_refused_and_found_by_role() -> None:
    target, control = (steady(name, rate_bps=1e6, duration_s=1, role=role) for name, role in
                       (("a", Role.TARGET), ("b", Role.CONTROL)))  # fmt: skip
    found = observation(target, control)
    assert [item.id for item in found.with_role(Role.CONTROL)] == ["b"]
    assert found.with_role(Role.UNKNOWN) == ()
    with pytest.raises(ValueError, match="two transfers are called 'a'"):
        Observation(source="x", transfers=(target, control, target))
