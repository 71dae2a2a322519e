"""Labels: what a detector should say, by what acted on a transfer."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from testbed.errors import InputError
from testbed.records.influence import Span, planned_influence
from testbed.records.label import COUNTED, Treatment, label, parse_counts, treatment
from tests.records.build import transfer


def acted(what: str = "token_bucket", effect: str | None = "slows", packets: int | None = 9, **more: Any) -> Any:
    span = Span(0.0, 1.0)
    return {**planned_influence("censor", "box", what, span, span), "effect": effect, "packets": packets, **more}


def summary(*influences: Any, **changes: Any) -> Any:
    return transfer(influences=list(influences), **changes)


@pytest.mark.parametrize(
    ("influence", "expected"),
    [
        (acted(), "slowed"),
        (acted("shaper"), "slowed"),
        (acted(packets=0), "unslowed"),
        (acted("delay"), "slowed"),
        (acted("delay", only_handshake=True), "delayed handshake"),
        (acted("byte_quota", "ends"), "frozen"),
        (acted("packet_quota", "ends"), "frozen"),
        (acted("drop", "ends"), "frozen"),
        (acted("byte_quota", "ends", packets=0), "unslowed"),
        (acted("reset", "ends"), "reset"),
        (acted("block_page", "ends"), "altered"),
        (acted("an action of tomorrow", None), "altered"),
        (acted(who="link"), "untouched"),
        (acted(who="plan"), "untouched"),
        (acted(who="ends"), "untouched"),
    ],
)
def test_a_treatment_is_what_a_censor_did(influence: Any, expected: str) -> None:
    assert treatment(summary(influence)) == expected


def test_of_several_treatments_the_graver_one_is_meant() -> None:
    assert treatment(summary(acted("reset", "ends"), acted(packets=0), acted())) == "slowed"
    assert treatment(summary(acted(packets=0), acted("reset", "ends"))) == "reset"


@pytest.mark.parametrize(("twin_bps", "expected"), [(4000.0, "unslowed"), (4200.0, "unslowed"), (4300.0, "slowed")])
def test_a_transfer_as_fast_as_its_twin_was_not_slowed(twin_bps: float, expected: str) -> None:
    twin = {"ok": True, "duration_s": 4.0, "goodput_bps": twin_bps, "handshake_s": None}
    assert treatment(summary(acted(), without_boxes=twin)) == expected


def test_a_transfer_that_failed_is_not_as_fast_as_any_twin() -> None:
    twin = {"ok": True, "duration_s": 4.0, "goodput_bps": 4000.0, "handshake_s": None}
    assert treatment(summary(acted(), ok=False, without_boxes=twin)) == "slowed"


def test_what_did_not_run_has_no_label() -> None:
    assert label(summary(start_s=None)) == "left out"


def test_whoever_scores_may_say_how_a_treatment_counts() -> None:
    frozen = summary(acted("drop", "ends"))
    assert label(frozen) == "left out"
    assert label(frozen, parse_counts(["frozen=throttled"])) == "throttled"
    assert label(summary(acted()), parse_counts(["frozen=throttled"])) == "throttled"


def test_every_treatment_counts_somehow() -> None:
    assert set(COUNTED) == set(get_args(Treatment))


@pytest.mark.parametrize(
    "word", ["slowed=left out", "untouched=throttled", "frosen=throttled", "frozen=maybe", "frozen", "", "=throttled"]
)
def test_a_count_that_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="--count"):
        parse_counts([word])
