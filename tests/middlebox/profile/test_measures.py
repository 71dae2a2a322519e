from __future__ import annotations

from typing import Any

import pytest

from testbed.middlebox.enforcement.meters import ByteQuotaSpec, RandomPassSpec, TokenBucketSpec
from testbed.middlebox.enforcement.shaper import ShaperSpec
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile.measures import ActionSpec, MeterChoice
from testbed.middlebox.profile.section import ProfileError, Section

THROTTLE = {"kind": "throttle", "directions": ["up", "down"], "scope": "flow", "trigger_packet": "passes"}
DROP = THROTTLE | {"kind": "drop", "after_packets": [5, 8], "residual_s": 420}
BUCKET = {"rate_bps": 140_000, "burst_bytes": 16384}
SLOW = {"rate_bps": 8, "burst_bytes": 274}
REFILL = {"quantum_bytes": 1000, "period_s": 1, "cap_bytes": 1000, "phase_s": 0}


def action(**changes: Any) -> ActionSpec:
    return Section({"action": THROTTLE | changes}).read("action", ActionSpec.read)


def metering(**keys: Any) -> MeterChoice:
    return Section({"meter": {"counts": "ip_length"} | keys}).read("meter", MeterChoice.read)


def test_each_kind_of_action_has_its_own_keys() -> None:
    assert action(**DROP).after_packets == (5, 8)
    assert action(**DROP).residual_s == 420
    assert action().residual_s is None
    assert action(kind="reset", reset_to=["inside"]).reset_to == {"inside"}
    assert action(kind="delay", delay_s=4).delay_s == 4.0
    assert action(kind="block_page", page="<p>").page == "<p>"
    assert action(kind="rewrite", directions=["down"]).directions == {Direction.DOWN}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"kind": "explode"}, "action.kind"),
        ({"kind": "drop"}, "action.after_packets"),
        ({"after_packets": [5, 8]}, "action.after_packets"),
        ({"kind": "delay"}, "action.delay_s"),
        ({"kind": "delay", "delay_s": 0}, "action.delay_s"),
        ({"kind": "reset", "reset_to": ["nobody"]}, "action.reset_to"),
        ({"kind": "rewrite"}, "action.directions"),
        (DROP | {"scope": "subscriber"}, "action.scope"),
        ({"residual_s": -1}, "action.residual_s"),
        ({"residual_s": float("inf")}, "action.residual_s"),
        ({"kind": "delay", "delay_s": 1e300}, "action.delay_s"),
        ({"kind": "drop", "after_packets": [0, 10**30]}, "action.after_packets"),
        ({"kind": "block_page", "page": "x" * 1201}, "action.page"),
        ({"kind": "block_page", "page": "\ud800"}, "action.page"),
    ],
    ids=str,
)
def test_an_action_that_cannot_be_carried_out_is_refused_with_its_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ProfileError) as caught:
        action(**changes)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("kind", "parameters", "spec"),
    [
        ("token_bucket", SLOW, TokenBucketSpec(rate_bps=8, burst_bytes=274)),
        (
            "token_bucket",
            SLOW | {"start_bytes": 0},
            TokenBucketSpec(rate_bps=8, burst_bytes=274, start_bytes=0),
        ),
        ("token_bucket", BUCKET, TokenBucketSpec(rate_bps=140_000, burst_bytes=16384)),
        ("shaper", BUCKET | {"queue_bytes": 9}, ShaperSpec(rate_bps=140_000, burst_bytes=16384, queue_bytes=9)),
        ("random_pass", {"pass_share": 0.05}, RandomPassSpec(pass_share=0.05)),
        ("byte_quota", {"quota_bytes": 16384}, ByteQuotaSpec(quota_bytes=16384)),
    ],
)
def test_each_meter_is_read(kind: str, parameters: dict[str, Any], spec: object) -> None:
    choice = metering(kind=kind, **{kind: parameters})
    assert choice.spec == spec
    assert choice.spec.parameters() == parameters


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"kind": "byte_quota", "byte_quota": {"quota_bytes": 1}, "token_bucket": BUCKET}, "meter.byte_quota"),
        ({"kind": "token_bucket", "token_bucket": BUCKET, "counts": "payload"}, "meter.counts"),
        ({"kind": "shaper", "token_bucket": BUCKET}, "meter.kind"),
        ({"kind": "random_pass", "random_pass": {"pass_share": 5}}, "meter.random_pass.pass_share"),
        ({"kind": "token_bucket"}, "meter.token_bucket"),
        ({"kind": "token_bucket", "token_bucket": BUCKET | {"rate_bps": 7}}, "meter.token_bucket.rate_bps"),
        ({"kind": "token_bucket", "token_bucket": BUCKET | {"rate_bps": 8 * 10**21}}, "meter.token_bucket.rate_bps"),
        (
            {"kind": "token_bucket", "token_bucket": {"rate_bps": 8, "burst_bytes": 275}},
            "meter.token_bucket.burst_bytes",
        ),
        ({"kind": "shaper", "shaper": BUCKET | {"queue_bytes": 10**400}}, "meter.shaper.queue_bytes"),
        ({"kind": "coarse_refill", "coarse_refill": REFILL | {"period_s": 1e-10}}, "meter.coarse_refill.period_s"),
        ({"kind": "coarse_refill", "coarse_refill": REFILL | {"phase_s": 2}}, "meter.coarse_refill.phase_s"),
    ],
    ids=str,
)
def test_a_meter_that_cannot_be_honoured_is_refused_with_its_key(keys: dict[str, Any], key: str) -> None:
    with pytest.raises(ProfileError) as caught:
        metering(**keys)
    assert caught.value.key == key


def test_a_choice_can_be_changed_to_another_described_meter() -> None:
    choice = metering(kind="token_bucket", token_bucket=BUCKET, random_pass={"pass_share": 0.1})
    assert choice.with_kind("random_pass").spec == RandomPassSpec(pass_share=0.1)
