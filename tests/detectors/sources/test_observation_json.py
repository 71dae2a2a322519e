from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.observation import Observation, Role, TcpInfo
from testbed.detectors.sources.observation_json import observation_from_json, observation_to_json
from testbed.errors import InputError
from tests.detectors.build import bottleneck_flow, flow_transfer, observation, speeds, steady

MINIMAL: dict[str, Any] = {"format": "testbed-observation", "version": 1, "source": "me"}
TRANSFER: dict[str, Any] = {"id": "a", "times_s": [0.1, 0.2], "bytes": [10, 20]}


def written(**transfer_fields: Any) -> str:
    return json.dumps(MINIMAL | {"transfers": [TRANSFER | transfer_fields]})


def test_everything_comes_back_as_it_was_written() -> None:
    flow, _ = bottleneck_flow(kind="police", packets=60)
    samples = np.array([1.0, 2.0])
    names = ("bytes_sent", "bytes_retrans", "rtt_s", "min_rtt_s", "delivery_rate_bps")
    info = TcpInfo(times_s=samples, **dict.fromkeys(names, samples))
    whole = Observation(
        source="here",
        transfers=(
            flow_transfer("captured", flow, role=Role.CONTROL),
            steady("s", rate_bps=1e5, duration_s=2, labels={"pair": "1"}),
        ),
        speeds=speeds([1e6, 2e6], tests_a_day=3),
        notes=("something was left out",),
    )
    whole = Observation(
        source=whole.source, transfers=(*whole.transfers, _with(info)), speeds=whole.speeds, notes=whole.notes
    )
    text = observation_to_json(whole)
    again = observation_from_json(text)
    assert observation_to_json(again) == text
    assert again.transfers[0].sender_flow is not None
    assert np.array_equal(again.transfers[0].sender_flow.sack_start, flow.sack_start)
    assert again.transfers[0].sender_flow.flags.dtype == flow.flags.dtype
    assert again.transfers[2].tcp_info is not None
    assert again.transfers[2].tcp_info.busy_s is None


def _with(info: TcpInfo) -> Any:
    base = steady("i", rate_bps=1e5, duration_s=2)
    return type(base)(id="i", times_s=base.times_s, bytes=base.bytes, tcp_info=info)


def test_a_minimal_transfer_needs_its_name_and_timeline_only() -> None:
    (found,) = observation_from_json(written()).transfers
    assert (found.role, found.total_bytes, found.sender_flow) == (Role.UNKNOWN, 20, None)


def test_there_is_no_place_for_ground_truth() -> None:
    for name in ("truth", "throttled", "label"):
        with pytest.raises(InputError, match=f"unknown field '{name}'"):
            observation_from_json(json.dumps(MINIMAL | {name: True}))
        with pytest.raises(InputError, match=f"unknown field '{name}'"):
            observation_from_json(written(**{name: True}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("\x80\x04\x95", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", 'format is not "testbed-observation"'),
        (json.dumps(MINIMAL | {"version": 2}), "version 2"),
        (json.dumps({**MINIMAL, "version": "1"}), "version is '1', expected a number"),
        (json.dumps({"format": "testbed-observation", "version": 1}), "source is absent"),
        (written(times_s=[0.1, float("nan")]), "NaN is not JSON"),
        (written(bytes=[10, float("inf")]), "Infinity is not JSON"),
        (written(times_s=[0.1, 1e999]), "Infinity|infinite"),
        (written(times_s="0.1"), "expected a list of numbers"),
        (written(times_s=[0.1, None]), r"times_s\[1\] is absent"),
        (written(times_s=[0.1, True]), r"times_s\[1\] is True"),
        (written(times_s=[0.1]), "shape"),
        (written(times_s=[0.2, 0.1]), "nor decrease"),
        (written(times_s=[-0.2, 0.1]), "negative"),
        (written(bytes=[20, 10]), "nor decrease"),
        (written(bytes=[1, 2.5]), "fractions"),
        (written(bytes=[1, 10**30]), "does not fit"),
        (written(role="victim"), "role is 'victim', not one of: target, control, unknown"),
        (written(connect_s=-1), "connect_s is -1.0"),
        (written(labels={"pair": 1}), "pair is 1, expected a text"),
        (json.dumps(MINIMAL | {"transfers": [TRANSFER, TRANSFER]}), "two transfers are called 'a'"),
        (json.dumps(MINIMAL | {"speeds": {"times_s": [1], "target_bps": [-1], "group": ["x"]}}), "negative speeds"),
        (json.dumps(MINIMAL | {"speeds": {"times_s": [1], "target_bps": [1], "group": []}}), "group has 0 rows"),
        (written(sender_flow={"a": ["x", 1]}), "index is absent"),
    ],
)
def test_garbage_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        observation_from_json(text)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("flags", 70_000, "outside 0 to 65535"),
        ("payload", -1, "negative payload"),
        ("sack_count", 9, "sack_start has"),
        ("from_a", 2, "outside 0 to 1"),
    ],
)
def test_a_flow_that_contradicts_itself_is_refused(column: str, value: int, message: str) -> None:
    flow, _ = bottleneck_flow(kind="none", packets=5)
    document = json.loads(observation_to_json(observation(flow_transfer("t", flow))))
    document["transfers"][0]["sender_flow"][column][0] = value
    with pytest.raises(InputError, match=message):
        observation_from_json(json.dumps(document))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(["transfers", "speeds", "notes", "source", "version", "id", "times_s", "bytes", "tcp_info"])


@given(top=st.dictionaries(names, values), item=st.dictionaries(names, values))
def test_any_json_is_read_or_refused(top: dict[str, Any], item: dict[str, Any]) -> None:
    document = MINIMAL | top
    if item:
        document["transfers"] = [TRANSFER | item]
    try:
        observation_from_json(json.dumps(document))
    except InputError as error:
        assert str(error).startswith("observation")  # noqa: PT017  either outcome is right
