"""Every detector, on data that no method can use: inconclusive with a reason, never a crash or a guess."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from testbed.capture import read_capture
from testbed.detectors.observation import Observation, Role, SpeedTable, Transfer
from testbed.detectors.registry import detector_names, load_detector
from testbed.detectors.sources.observe import observe
from testbed.detectors.verdict import Outcome, Verdict
from tests.capture.frames import ACK, CLIENT, SERVER, START_US, SYN, Stamped, ethernet, options, pcap, tcp
from tests.detectors.build import bottleneck_flow, flow_transfer, observation, transfer

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Observation(source="nothing")
EMPTY = observation(transfer("t", [], []), transfer("c", [], [], role=Role.CONTROL))
ONE_POINT = observation(transfer("t", [0.1], [100]), transfer("c", [0.1], [100], role=Role.CONTROL))
AT_ONCE = observation(transfer("t", [0.0] * 50, [100] * 50), transfer("c", [0.0] * 50, [100] * 50, role=Role.CONTROL))
ZEROS = SpeedTable(
    times_s=np.arange(30, dtype=np.float64) * 86_400,
    target_bps=np.zeros(30),
    controls_bps={"control": np.zeros(30)},
    group=np.array(["all"] * 30),
)
ONE_DAY = SpeedTable(times_s=np.zeros(1), target_bps=np.ones(1), group=np.array(["all"]))
USELESS = {
    "nothing": NOTHING,
    "empty transfers": EMPTY,
    "one point": ONE_POINT,
    "all at once": AT_ONCE,
    "zeros": observation(table=ZEROS),
    "one day": observation(table=ONE_DAY),
    "no days": observation(
        table=SpeedTable(times_s=np.zeros(0), target_bps=np.zeros(0), group=np.zeros(0, dtype=np.str_))
    ),
}
DETECTORS = detector_names()


def verdicts(given_observation: Observation) -> list[Verdict]:
    return [load_detector(name).detect(given_observation) for name in DETECTORS]


@pytest.mark.parametrize("kind", USELESS)
def test_useless_observations_are_inconclusive_everywhere(kind: str) -> None:
    throttled = [verdict.detector for verdict in verdicts(USELESS[kind]) if verdict.outcome is Outcome.THROTTLED]
    assert throttled == []
    if kind in ("nothing", "zeros", "one day", "no days"):
        told = [verdict.detector for verdict in verdicts(USELESS[kind]) if verdict.outcome is not Outcome.INCONCLUSIVE]
        assert told == []


def stream(count: int = 200, *, lossy: bool = True) -> list[bytes]:
    """Return a connection of full packets and their acknowledgements, some packets sent twice."""
    opening = options(mss=1448)
    frames = [
        ethernet(tcp(flags=SYN, tcp_options=opening)),
        ethernet(tcp(SERVER, CLIENT, ack=1, flags=SYN | ACK, tcp_options=opening)),
        ethernet(tcp(seq=1, ack=1)),
    ]
    for number in range(count):
        packet = ethernet(tcp(SERVER, CLIENT, seq=1 + 1400 * number, ack=1, payload=bytes(1400)))
        frames.extend([packet] * (2 if lossy and number % 7 == 0 else 1))
        frames.append(ethernet(tcp(seq=1, ack=1 + 1400 * (number + 1))))
    return frames


def stamped(frames: list[bytes]) -> list[Stamped]:
    return [Stamped(START_US + 1000 * place, frame) for place, frame in enumerate(frames)]


def one_direction(frames: list[bytes]) -> list[bytes]:
    server = bytes([192, 0, 2, 1])
    return [frame for frame in frames if frame[26:30] == server]


DAMAGED = {
    "one direction": stamped(one_direction(stream())),
    "duplicated": [packet for packet in stamped(stream()) for _ in range(2)],
    "reordered": stamped(stream())[::-1],
    "snaplen 96": [replace(p, frame=p.frame[:96], length=len(p.frame)) for p in stamped(stream())],
    "clock jumps back": [replace(p, t_us=p.t_us - 10**7 * (i > 100)) for i, p in enumerate(stamped(stream()))],
    "clock stands still": [replace(p, t_us=START_US) for p in stamped(stream())],
    "acks only": stamped(stream(0) + [ethernet(tcp(seq=1, ack=1))] * 50),
    "starts in the middle": stamped(stream())[150:],
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_captures_crash_no_detector(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "damaged.pcap"
    path.write_bytes(pcap(DAMAGED[kind]))
    for verdict in verdicts(observe([path])):
        assert verdict.why
        assert verdict.outcome in set(Outcome)


def test_one_direction_alone_convicts_nobody(tmp_path: Path) -> None:
    path = tmp_path / "one.pcap"
    path.write_bytes(pcap(DAMAGED["one direction"]))
    assert [v.detector for v in verdicts(observe([path])) if v.outcome is Outcome.THROTTLED] == []


def test_a_capture_without_tcp_gives_an_empty_observation_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([Stamped(START_US, b"\xff" * 60)]))
    observed = observe([path])
    assert observed.transfers == ()
    assert any("no TCP packets" in note for note in observed.notes)
    assert {verdict.outcome for verdict in verdicts(observed)} == {Outcome.INCONCLUSIVE}


rows = st.tuples(
    st.booleans(),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.integers(0, 63),
    st.integers(0, 3000),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=2),
)


@given(packets=st.lists(rows, min_size=1, max_size=40), twice=st.booleans())
def test_no_packets_whatever_crash_a_detector(
    tmp_path_factory: pytest.TempPathFactory,
    packets: list[tuple[bool, int, int, int, int, list[tuple[int, int]]]],
    *,
    twice: bool,
) -> None:
    frames = [
        tcp(
            CLIENT if up else SERVER,
            SERVER if up else CLIENT,
            seq=seq,
            ack=ack,
            flags=flags,
            payload=bytes(size),
            tcp_options=options(sacks=tuple(blocks)),
        )
        for up, seq, ack, flags, size, blocks in packets
    ]
    path = tmp_path_factory.mktemp("any") / "any.pcap"
    path.write_bytes(pcap([Stamped(START_US + 1000 * i, frame) for i, frame in enumerate(frames)], link_type=101))
    assert read_capture(path).flows  # or two: a SYN with another number begins the five-tuple anew
    observed = observe([path])
    if observed.transfers and twice:
        found = observed.transfers[0]
        pair = (replace(found, role=Role.TARGET), replace(found, id="control", role=Role.CONTROL))
        observed = replace(observed, transfers=pair)
    for verdict in verdicts(observed):
        assert verdict.why


timelines = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10**6)), max_size=60)


def timeline(name: str, points: list[tuple[float, int]], role: Role) -> Transfer:
    points.sort(key=lambda point: point[0])
    return transfer(name, [time for time, _ in points], [size for _, size in points], role=role)


@given(target=timelines, control=timelines)
@example(target=[], control=[(5e-324, 0)])  # a duration that no division survives
@example(target=[(0.0, 1), (99.0, 10**6)], control=[(0.0, 1), (1e-9, 1)])
def test_no_timelines_whatever_crash_a_detector(
    target: list[tuple[float, int]], control: list[tuple[float, int]]
) -> None:
    for verdict in verdicts(observation(timeline("t", target, Role.TARGET), timeline("c", control, Role.CONTROL))):
        assert verdict.why


@given(days=st.lists(st.tuples(st.floats(0, 40), st.floats(0, 1e9), st.floats(0, 1e9)), max_size=60))
def test_no_speeds_whatever_crash_a_detector(days: list[tuple[float, float, float]]) -> None:
    table = SpeedTable(
        times_s=np.array([day for day, _, _ in days], np.float64) * 86_400,
        target_bps=np.array([speed for _, speed, _ in days], np.float64),
        controls_bps={"control": np.array([speed for _, _, speed in days], np.float64)},
        group=np.array(["all"] * len(days), dtype=np.str_),
    )
    for verdict in verdicts(observation(table=table)):
        assert verdict.why


def test_the_same_transfer_as_target_and_control_is_never_throttled_by_comparison() -> None:
    flow, _ = bottleneck_flow(kind="police", packets=300)
    pair = observation(flow_transfer("t", flow), flow_transfer("c", flow, role=Role.CONTROL))
    paired = ("wehe", "wehe-server", "wehe-research", "wehe-2015", "replay", "crowd", "ooni", "glasnost", "joint")
    outcomes = {name: load_detector(name).detect(pair).outcome for name in paired}
    assert Outcome.THROTTLED not in outcomes.values()
