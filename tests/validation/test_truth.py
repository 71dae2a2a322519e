"""What is true of a line: its label, and the limit that slowed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from testbed.detectors.verdict import Mechanism
from testbed.validation.truth import LineTruth, limits, line_label, line_truth
from tests.records.build import transfer
from tests.validation.cells import FREE

if TYPE_CHECKING:
    from testbed.scenario.plan import Plan
    from testbed.validation.keeping.store import Limit

INFLUENCE = transfer()["influences"][0]
RESET: dict[str, Any] = {"influences": [INFLUENCE | {"what": "reset", "effect": "ends"}]}


@pytest.mark.parametrize(
    ("transfers", "label"),
    [
        ([{"role": "target"}, {"role": "control", **FREE}], "throttled"),
        ([{"role": "target", **FREE}, {"role": "control", **FREE}], "not throttled"),
        ([{"role": "target"}, {"role": "target", **FREE}], "throttled"),
        ([{"role": "target", **FREE}, {"role": "target", **RESET}], "left out"),
        ([{"role": "target"}, {"role": "target", **RESET}], "throttled"),
        ([{"role": "target"}, {"role": "control"}], "left out"),
        ([{"role": "control", **FREE}], "left out"),
        ([{"role": "target", "line": "another"}, {"role": "target", **FREE}], "not throttled"),
        ([{"role": "collateral"}, {"role": "target", **FREE}], "not throttled"),
    ],
)
def test_a_line_has_the_label_of_its_targets(transfers: list[dict[str, Any]], label: str) -> None:
    made = [transfer(**{"line": "line", **each}) for each in transfers]
    assert line_label(made, "line") == label


class Planned:
    """As much of a plan as is asked for."""

    def __init__(self, meter: dict[str, Any] | None) -> None:
        self.data = {"boxes": {INFLUENCE["where"]: {"profile": None if meter is None else {"meter": meter}}}}


REFILL = {"quantum_bytes": 17_500, "period_s": 1.0, "cap_bytes": 1, "phase_s": 0.0}
SHAPER = {"rate_bps": 130_000, "burst_bytes": 1, "queue_bytes": 1}


@pytest.mark.parametrize(
    ("what", "meter", "mechanism", "rate_bps"),
    [
        ("token_bucket", {"token_bucket": {"rate_bps": 140_000, "burst_bytes": 1}}, "policing", 140_000),
        ("shaper", {"token_bucket": {"rate_bps": 1, "burst_bytes": 1}, "shaper": SHAPER}, "shaping", 130_000),
        ("sliding_window", {"sliding_window": {"limit_bytes": 15_000, "window_s": 1.0}}, "policing", 120_000),
        (
            "coarse_refill",
            {"coarse_refill": REFILL},
            "policing",
            140_000,
        ),
        ("random_pass", {"random_pass": {"pass_share": 0.5}}, None, None),
    ],
)
def test_the_limit_is_that_of_the_box_that_acted(
    what: str, meter: dict[str, Any], mechanism: str | None, rate_bps: float | None
) -> None:
    slowed = transfer(id="a", start_s=2.0, influences=[INFLUENCE | {"what": what, "from_s": 2.5, "packets": 3}])
    found = limits(cast("Plan", Planned(meter)), [slowed, transfer(id="b", **FREE)])
    assert found == {"a": {"mechanism": mechanism, "rate_bps": rate_bps, "onset_s": 0.5}}


def test_a_limit_that_touched_nothing_and_a_box_that_is_a_cable_limit_nothing() -> None:
    meter = {"token_bucket": {"rate_bps": 140_000, "burst_bytes": 1}}
    idle = transfer(id="a", influences=[INFLUENCE | {"what": "token_bucket", "packets": 0}])
    assert limits(cast("Plan", Planned(meter)), [idle]) == {}
    assert limits(cast("Plan", Planned(None)), [transfer(id="a")]) == {}


def test_a_box_that_delays_has_no_meter_and_no_rate() -> None:
    planned: Any = Planned({})
    del planned.data["boxes"][INFLUENCE["where"]]["profile"]["meter"]
    late = transfer(id="a", start_s=0.0, influences=[INFLUENCE | {"what": "delay", "from_s": 1.0, "packets": 3}])
    assert limits(cast("Plan", planned), [late]) == {"a": {"mechanism": None, "rate_bps": None, "onset_s": 1.0}}


def test_a_line_has_the_limit_that_all_its_targets_have() -> None:
    one: Limit = {"mechanism": "policing", "rate_bps": 140_000.0, "onset_s": 1.0}
    two: Limit = {**one, "onset_s": 0.25}
    other: Limit = {**one, "rate_bps": 70_000.0}
    targets = [transfer(id=name, line="l", role="target") for name in ("a", "b")]
    control = transfer(id="c", line="l", role="control", **FREE)
    assert line_truth([*targets, control], {"a": one, "b": two}, "l") == LineTruth(
        "throttled", Mechanism.POLICING, 140_000.0, 0.25, content_specific=True
    )
    assert line_truth(targets, {"a": one, "b": other}, "l") == LineTruth("throttled", Mechanism.POLICING, None, 1.0)
    assert line_truth([control, transfer(line="l", role="target", **FREE)], {}, "l") == LineTruth("not throttled")


def test_one_control_that_went_untouched_shows_that_the_name_alone_is_slowed() -> None:
    one: Limit = {"mechanism": "policing", "rate_bps": 140_000.0, "onset_s": 1.0}
    target = transfer(id="a", line="l", role="target")
    free = transfer(id="c", line="l", role="control", **FREE)
    touched = transfer(id="d", line="l", role="control", **RESET)
    assert line_truth([target, free, touched], {"a": one}, "l").content_specific is True
    assert line_truth([target, touched], {"a": one}, "l").content_specific is False


def test_several_limits_have_no_one_rate_and_begin_with_the_first() -> None:
    both = [
        INFLUENCE | {"what": "token_bucket", "from_s": 9.0, "packets": 3},
        INFLUENCE | {"what": "shaper", "from_s": 1.0, "packets": 3},
        INFLUENCE | {"what": "delay", "from_s": 0.5, "packets": 0},
    ]
    plan = Planned({"token_bucket": {"rate_bps": 1_000_000, "burst_bytes": 1}, "shaper": SHAPER})
    found = limits(cast("Plan", plan), [transfer(id="a", start_s=0.25, influences=both)])
    assert found == {"a": {"mechanism": None, "rate_bps": None, "onset_s": 0.75}}
