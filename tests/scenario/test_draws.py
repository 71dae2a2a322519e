"""Values are drawn from the seed, each by itself, and written down as they could have stood there."""

from __future__ import annotations

import math
import re
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

import pytest
from scipy import stats

from testbed.errors import ScenarioError
from testbed.quantities import parse_duration, parse_rate, parse_share, parse_size
from testbed.scenario.document import Document
from testbed.scenario.draws import Draw, draw_values

if TYPE_CHECKING:
    from collections.abc import Callable


def drawn(text: str, seed: int = 1) -> tuple[Document, list[Draw]]:
    document = Document.parse("s.yaml", text)
    return document, draw_values(document, seed)


def many(distribution: str, count: int = 400) -> list[object]:
    """Draws of one value by seed."""
    return [drawn(f"x: {distribution}", seed)[1][0].value for seed in range(1, count + 1)]


def test_a_draw_stands_in_the_place_of_its_distribution() -> None:
    document, draws = drawn("lines:\n  - {name: a, delay: 'uniform(5 ms, 80 ms)'}\nother: 3 ms\n")
    [draw] = draws
    assert (draw.key, draw.written) == ("lines.0.delay", "uniform(5 ms, 80 ms)")
    assert document.data["lines"][0]["delay"] == draw.value
    assert 0.005 <= parse_duration(draw.value) <= 0.08
    assert document.data["other"] == "3 ms"


def test_the_same_seed_draws_the_same_and_another_key_does_not_matter() -> None:
    alone = drawn("a: uniform(1 ms, 9 ms)")[1][0]
    beside = drawn("b: uniform(1 ms, 9 ms)\na: uniform(1 ms, 9 ms)")[1]
    assert alone == beside[1]
    assert alone.value != beside[0].value
    assert drawn("a: uniform(1 ms, 9 ms)", seed=2)[1][0].value != alone.value


def test_titles_are_text_whatever_they_look_like() -> None:
    document, draws = drawn("title: choice(a, b)\nabout: uniform(1, 2)\nx: call me (maybe)\n")
    assert draws == []
    assert document.data["title"] == "choice(a, b)"


@pytest.mark.parametrize(
    ("distribution", "read"),
    [
        ("uniform(100 kbit/s, 20 Mbit/s)", parse_rate),
        ("uniform(20 kB, 2 MB)", parse_size),
        ("uniform(0, 2 s)", parse_duration),
        ("uniform(0 %, 3 %)", parse_share),
        ("exponential(300 ms)", parse_duration),
        ("lognormal(80 ms, 0.5)", parse_duration),
        ("normal(10 ms, 20 ms)", parse_duration),
        ("loguniform(1 kB, 1 MB)", parse_size),
    ],
)
def test_what_is_drawn_can_be_read_as_it_is(distribution: str, read: Callable[[object], float]) -> None:
    assert all(read(value) >= 0 for value in many(distribution, 100))


@pytest.mark.parametrize(
    ("distribution", "cumulative"),
    [
        ("uniform(5 ms, 80 ms)", stats.uniform(0.005, 0.075).cdf),
        ("loguniform(5 ms, 80 ms)", stats.loguniform(0.005, 0.08).cdf),
        ("lognormal(80 ms, 0.5)", stats.lognorm(0.5, scale=0.08).cdf),
        ("exponential(80 ms)", stats.expon(scale=0.08).cdf),
        ("normal(80 ms, 5 ms)", stats.norm(0.08, 0.005).cdf),
    ],
)
def test_draws_follow_their_distribution(distribution: str, cumulative: Callable[[float], float]) -> None:
    # What a distribution's own cumulative function makes of its draws is uniform.
    shares = [cumulative(parse_duration(value)) for value in many(distribution, 1000)]
    assert stats.kstest(shares, "uniform").pvalue > 0.001


def test_whole_numbers_stay_whole_and_choices_are_values() -> None:
    assert set(many("uniform(1, 3)")) == {1, 2, 3}
    assert set(many("choice(true, false)")) == {True, False}
    assert set(many("choice(cubic, bbr)")) == {"cubic", "bbr"}
    assert set(many("choice(1, 20)")) == {1, 20}
    assert set(many("choice(400 kbit/s, 20 Mbit/s)")) == {"400 kbit/s", "20 Mbit/s"}
    values = [value for value in many("uniform(0.5, 1.5)") if isinstance(value, float)]
    assert len(values) == 400
    assert math.isclose(fmean(values), 1, abs_tol=0.05)
    assert pstdev(values) > 0.2


@pytest.mark.parametrize(
    ("distribution", "problem"),
    [
        ("uniform(80 ms, 5 ms)", "uniform(80 ms, 5 ms): the bounds are turned round"),
        ("uniform(5 ms, 80 kB)", "expected a number with a unit, as '5 ms' has, got '80 kB'"),
        ("uniform(5 ms)", "expected uniform(least, most), got uniform(5 ms)"),
        ("uniform(5 ms, much)", "expected a number with or without a unit, got 'much'"),
        ("uniform(5 furlongs, 9 furlongs)", "the unit 'furlongs' in '5 furlongs' is unknown (units: bit/s"),
        ("gamma(1, 2)", "unknown distribution 'gamma'; expected one of choice, uniform"),
        ("lognormal(80 ms, 5 ms)", "expected a number without a unit, got '5 ms'"),
        ("lognormal(0, 0.5)", "lognormal(0, 0.5): expected a median above zero"),
        ("loguniform(0, 1 s)", "expected two bounds above zero, the smaller one first"),
        ("exponential(0)", "expected a mean above zero"),
        ("choice(a,, b)", "expected values with commas between them"),
        ("choice()", "expected values with commas between them"),
        ("choice(uniform(1, 2), 3)", "expected plain values, and no distribution within another"),
        ("lognormal(1 ms, 900)", "expected a standard deviation of the logarithm from 0 to 10"),
        ("lognormal(1 ms, -1)", "expected a number with or without a unit, got '-1'"),
        ("exponential(1e308)", "expected a number"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_line(distribution: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)) as refusal:
        drawn(f"lines:\n  - name: a\n    delay: '{distribution}'\n")
    assert str(refusal.value).startswith("s.yaml:3: lines.0.delay: ")


def test_all_that_cannot_be_drawn_is_told_at_once() -> None:
    with pytest.raises(ScenarioError) as refusal:
        drawn("a: 'uniform(2, 1)'\nb: 'gamma(1)'\n")
    assert [line.partition(": ")[0] for line in str(refusal.value).splitlines()] == ["s.yaml:1", "s.yaml:2"]


def test_notes_are_text_wherever_they_stand() -> None:
    _, draws = drawn("lines:\n  - name: a\n    about: 'uniform(1, 2)'\n    loss: 'uniform(1, 2)'\n")
    assert [each.key for each in draws] == ["lines.0.loss"]
