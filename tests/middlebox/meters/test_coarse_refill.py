from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.meters.coarse_refill import CoarseRefill, CoarseRefillSpec
from tests.middlebox.build import problems
from tests.middlebox.meters.build import NS_PER_S, arrivals, at_times, beginning, conforming_bytes


@given(arrivals, st.integers(1, 10**9), st.integers(-(10**9), 10**9))
def test_coarse_refill_agrees_with_counting_every_refill(
    packets: list[tuple[int, int]], period_ns: int, phase_ns: int
) -> None:
    quantum, cap, opened = 3000, 4000, 17
    meter = CoarseRefill(
        quantum_bytes=quantum,
        period_s=period_ns / NS_PER_S,
        cap_bytes=cap,
        phase_s=phase_ns / NS_PER_S,
        opened_ns=opened,
    )
    level, refills = cap, 0
    for now, length in at_times(packets):
        due = max(0, (now - opened - phase_ns) // period_ns)
        level = min(cap, level + max(0, due - refills) * quantum)
        refills = max(refills, due)
        assert meter.conforms(length, now) == (length <= level)
        level -= length if length <= level else 0


def test_coarse_refill_starves_a_flow_for_about_a_second() -> None:
    # X21 Fig. 5: gaps of 0.65-1.0 s in which everything is lost.
    meter = CoarseRefill(quantum_bytes=17875, period_s=1.28, cap_bytes=19500)
    passing = [now for now in range(0, 10 * NS_PER_S, 10_000_000) if meter.conforms(1500, now)]
    gaps = [later - earlier for earlier, later in pairwise(passing)]
    assert max(gaps) > NS_PER_S


def test_coarse_refill_passes_100_to_115_kbps() -> None:
    meter = CoarseRefill(quantum_bytes=17875, period_s=1.28, cap_bytes=19500)
    passed = conforming_bytes(meter, offered_bps=500_000, length=1500, seconds=600)
    assert 100_000 <= passed * 8 / 600 <= 115_000


def test_refills_are_counted_from_the_opening_of_the_flow() -> None:
    spec = CoarseRefillSpec(quantum_bytes=1000, period_s=1.0, cap_bytes=1000, phase_s=0.25)
    meter = spec.start(beginning(5 * NS_PER_S))
    assert meter.conforms(1000, 5 * NS_PER_S)
    assert not meter.conforms(1, 6_250_000_000 - 1)
    assert meter.conforms(1000, 6_250_000_000)


def test_it_starts_full_and_names_its_parameters() -> None:
    spec = CoarseRefillSpec(quantum_bytes=17875, period_s=1.28, cap_bytes=19500, phase_s=0.0)
    assert spec.start(beginning(NS_PER_S)).conforms(16384, NS_PER_S)
    assert spec.parameters() == {"quantum_bytes": 17875, "period_s": 1.28, "cap_bytes": 19500, "phase_s": 0.0}


@given(arrivals)
def test_it_never_passes_more_than_its_cap_and_refills(packets: list[tuple[int, int]]) -> None:
    meter, passed = CoarseRefill(quantum_bytes=17875, period_s=1.28, cap_bytes=19500), 0
    for now, length in at_times(packets):
        passed += length if meter.conforms(length, now) else 0
        assert passed <= 19500 + 17875 / 1.28 * now / NS_PER_S + 1


@pytest.mark.parametrize("phase", ["-0.25 s", "1.28 s", 0, "- 95 ms"])
def test_the_first_refill_may_come_early_or_late(phase: object) -> None:
    assert problems(meter__coarse_refill__phase=phase) == {}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("period", "0.1 ns", "expected a duration from '1 us' to '365 d'"),
        ("period", 0, "expected a duration from '1 us' to '365 d'"),
        ("period", 1, "the unit is missing"),
        ("phase", "2 s", "expected -1.28 s to 1.28 s"),
        ("phase", "-2 s", "expected -1.28 s to 1.28 s"),
        ("phase", -1, "the unit is missing"),
        ("cap", "0 B", "expected a size from 1 B"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_its_key(key: str, value: object, expected: str) -> None:
    found = problems(**{f"meter__coarse_refill__{key}": value})
    assert expected in found.pop(f"meter.coarse_refill.{key}")
    assert not found
