from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from testbed.detectors.methods.joint import JointDetector
from testbed.detectors.observation import Ending, Observation, Role, Transfer
from testbed.detectors.tools.bucket_fit import fit_bucket
from testbed.detectors.tools.coarse_refill import COARSE_AGREEMENT, fit_coarse_refill
from testbed.detectors.tools.delivery import fates
from testbed.detectors.verdict import Mechanism, Outcome, Verdict
from tests.detectors.build import (
    LUMP_PERIOD_S,
    bottleneck_flow,
    flow_transfer,
    observation,
    received_flow,
    steady,
    transfer,
)  # fmt: skip

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def captured(name: str, role: Role = Role.TARGET, **bottleneck: float | str | bool) -> Transfer:
    flow, _ = bottleneck_flow(**bottleneck)  # type: ignore[arg-type]
    return flow_transfer(name, flow, role=role, started_s=0.0 if role is Role.TARGET else 60.0)


def judge(target: Transfer, control: Transfer) -> Verdict:
    return JointDetector().detect(observation(target, control))


def twice(target: Transfer, control: Transfer) -> Verdict:
    """Judge two pairs, each like this one."""
    again = [replace(each, id=f"{each.id} again", started_s=each.started_s + 200) for each in (target, control)]
    return JointDetector().detect(observation(target, control, *again))


FAST = captured("c", Role.CONTROL, kind="none", rate_bps=5e6)


def test_a_policed_target_beside_a_free_control_is_throttled() -> None:
    verdict = judge(captured("t", kind="police", rate_bps=140e3, depth_bytes=16_384, packets=300), FAST)
    assert (verdict.outcome, verdict.mechanism, verdict.content_specific) == (YES, Mechanism.POLICING, True)
    assert verdict.rate_bps == pytest.approx(140e3, rel=0.1)


def test_a_meter_that_is_filled_in_lumps_is_recognised_with_its_period() -> None:
    flow, _ = bottleneck_flow(kind="coarse", rate_bps=112e3, depth_bytes=19_500, packets=300)
    found = fates(flow_transfer("t", flow))
    assert found is not None
    continuous, lumps = fit_bucket(found), fit_coarse_refill(found)
    assert continuous is not None
    assert lumps is not None
    assert lumps.agreement > max(COARSE_AGREEMENT, continuous.agreement)
    assert lumps.period_s == pytest.approx(LUMP_PERIOD_S, rel=0.05)
    verdict = judge(flow_transfer("t", flow), FAST)
    assert (verdict.outcome, verdict.mechanism) == (YES, Mechanism.POLICING)
    assert verdict.rate_bps == pytest.approx(112e3, rel=0.1)


def test_a_shaped_target_beside_a_free_control_is_throttled() -> None:
    verdict = judge(captured("t", kind="queue", rate_bps=500e3, depth_bytes=1e6, packets=600), FAST)
    assert (verdict.outcome, verdict.mechanism) == (YES, Mechanism.SHAPING)
    assert verdict.rate_bps == pytest.approx(500e3, rel=0.1)


@pytest.mark.parametrize("depth_bytes", [20_000, 60_000])
def test_a_shaper_that_also_drops_is_still_a_shaper(depth_bytes: float) -> None:
    verdict = judge(captured("t", kind="queue", rate_bps=300e3, depth_bytes=depth_bytes, packets=800), FAST)
    assert (verdict.outcome, verdict.mechanism) == (YES, Mechanism.SHAPING)
    assert verdict.rate_bps == pytest.approx(300e3, rel=0.1)


def late(role: Role, *, rtt_s: float, connect_s: float) -> Transfer:
    flow, _ = bottleneck_flow(kind="none", rate_bps=600e3 if rtt_s > 1 else 5e6, rtt_s=rtt_s)
    return replace(flow_transfer(role.value, flow, role=role), connect_s=connect_s)


@pytest.mark.parametrize(
    ("rtt_s", "connect_s", "outcome"),
    [(1.5, 0.05, YES), (1.5, 1.5, OPEN), (0.08, 0.05, NO)],
    ids=["data late, handshake not", "a long path", "not late enough"],
)
def test_packets_held_back_on_a_path_of_the_same_length_are_shaping(
    rtt_s: float, connect_s: float, outcome: Outcome
) -> None:
    verdict = judge(late(Role.TARGET, rtt_s=rtt_s, connect_s=connect_s), late(Role.CONTROL, rtt_s=0.05, connect_s=0.05))
    assert verdict.outcome is outcome
    assert (verdict.mechanism is Mechanism.SHAPING) is (outcome is YES)


def test_packets_lost_at_random_on_the_target_alone_are_throttling_by_loss() -> None:
    verdict = judge(captured("t", kind="none", rate_bps=500e3, loss=0.3), FAST)
    assert (verdict.outcome, verdict.mechanism) == (YES, Mechanism.LOSS)


@pytest.mark.parametrize(("kind", "outcome"), [("police", OPEN), ("queue", NO), ("none", NO)])
def test_what_limits_both_alike_is_no_throttling_or_nobody_can_tell(kind: str, outcome: Outcome) -> None:
    verdict = judge(captured("t", kind=kind), captured("c", Role.CONTROL, kind=kind, seed=9))
    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("target", "mechanism"),
    [
        (captured("t", kind="none", rate_bps=500e3), Mechanism.APP_LIMITED),  # a slow server
        (captured("t", kind="none", rate_bps=500e3, loss=0.006), Mechanism.LOSS),
        (transfer("t", [], []), Mechanism.BLOCKED),
        (transfer("t", [0.2, 0.4], [8000, 8384], ending=Ending.TIMEOUT, ended_s=20.0), Mechanism.FROZEN),
    ],
)
def test_other_reasons_to_be_slow_are_named_and_are_no_throttling(target: Transfer, mechanism: Mechanism) -> None:
    verdict = judge(target, FAST)
    assert (verdict.outcome, verdict.mechanism) == (NO, mechanism)


def test_a_control_that_failed_leaves_it_open() -> None:
    broken = transfer("c", [], [], role=Role.CONTROL, started_s=60.0)
    assert judge(captured("t", kind="police"), broken).outcome is OPEN


@pytest.mark.parametrize(("target_bps", "outcome"), [(140e3, YES), (1.6e6, NO)])
def test_without_packets_only_a_rate_that_comes_again_speaks(target_bps: float, outcome: Outcome) -> None:
    target = steady("t", rate_bps=target_bps, duration_s=20)
    control = steady("c", rate_bps=2e6, duration_s=20, role=Role.CONTROL)
    verdict = twice(target, control)
    assert (verdict.outcome, verdict.mechanism) == (outcome, None)
    assert judge(target, control).outcome is not YES, "a speed is no limit before it comes again"


def test_without_packets_a_slow_unsteady_target_is_open() -> None:
    uneven = transfer("t", np.cumsum([0.01] * 100 + [1.0, 0.01, 0.01] * 20).tolist(), [1448] * 160)
    assert judge(uneven, steady("c", rate_bps=5e6, duration_s=5, role=Role.CONTROL)).outcome is OPEN


def test_no_control_no_verdict() -> None:
    assert JointDetector().detect(Observation(source="x", transfers=(captured("t", kind="police"),))).outcome is OPEN


def elsewhere(target: Transfer) -> Transfer:
    """The same transfer from another server than the controls'."""
    assert target.sender_flow is not None
    flow = replace(target.sender_flow, b=("203.0.113.9", 443), a=target.sender_flow.a)
    return replace(target, sender_flow=flow)


@pytest.mark.parametrize(
    ("kind", "loss", "outcome"),
    [("police", 0.0, YES), ("queue", 0.0, OPEN), ("none", 0.05, OPEN), ("none", 0.0, NO)],
    ids=["a policer drops where no queue is", "a narrow link of its own", "a lossy path of its own", "a slow server"],
)
def test_of_a_control_from_another_server_only_a_policer_can_be_told(kind: str, loss: float, outcome: Outcome) -> None:
    target = captured("t", kind=kind, rate_bps=300e3, depth_bytes=20_000, packets=400, loss=loss)
    assert judge(elsewhere(target), FAST).outcome is outcome
    assert judge(target, FAST).outcome is (NO if outcome is NO else YES)


def at_client(name: str, role: Role = Role.TARGET, **bottleneck: float | str | bool) -> Transfer:
    """A transfer that was captured at its receiver alone: packets that were lost are not there."""
    flow, dropped = bottleneck_flow(**bottleneck)  # type: ignore[arg-type]
    sent = flow_transfer(name, flow, role=role, started_s=0.0 if role is Role.TARGET else 60.0)
    return replace(sent, sender_flow=None, receiver_flow=received_flow(flow, dropped), connect_s=0.05)


def test_the_clients_capture_alone_tells_a_policer_by_what_is_missing() -> None:
    fast = at_client("c", Role.CONTROL, kind="none", rate_bps=5e6)
    verdict = judge(at_client("t", kind="police", rate_bps=300e3, packets=400), fast)
    assert (verdict.outcome, verdict.mechanism) == (YES, Mechanism.LOSS)
    assert judge(at_client("t", kind="none", rate_bps=5e6), fast).outcome is NO


def test_the_clients_capture_alone_tells_a_shaper_by_a_rate_that_comes_again() -> None:
    fast = at_client("c", Role.CONTROL, kind="none", rate_bps=5e6)
    shaped = at_client("t", kind="queue", rate_bps=300e3, depth_bytes=1e6, packets=400)
    assert twice(shaped, fast).outcome is YES
    assert judge(shaped, fast).outcome is OPEN


def test_a_difference_that_comes_and_goes_with_the_pair_is_none_of_the_name() -> None:
    lossy, clean = (captured("t", kind="none", rate_bps=5e6, loss=loss) for loss in (0.1, 0.0))
    targets = [replace(each, id=f"t{number}", started_s=number * 100.0) for number, each in enumerate((lossy, clean))]
    controls = [replace(FAST, id=f"c{number}", started_s=number * 100.0 + 50) for number in range(2)]
    assert JointDetector().detect(observation(*targets, *controls)).outcome is NO
