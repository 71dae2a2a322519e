from __future__ import annotations

from random import Random

import pytest

from testbed.middlebox.meters.random_pass import RandomPass, RandomPassSpec
from tests.middlebox.build import problems
from tests.middlebox.meters.build import beginning


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_random_pass_passes_its_share(share: float) -> None:
    meter = RandomPassSpec(pass_share=share).start(beginning(seed=7))
    passed = sum(meter.conforms(1500, 0) for _ in range(10_000))
    assert passed == pytest.approx(10_000 * share, abs=150)


def test_random_pass_is_the_same_for_the_same_seed() -> None:
    runs = [
        [meter.conforms(1, 0) for _ in range(50)]
        for meter in (RandomPass(pass_share=0.5, random=Random(3)) for _ in range(2))  # noqa: S311
    ]
    assert runs[0] == runs[1]


def test_where_nothing_passes_a_flow_is_over() -> None:
    assert (RandomPassSpec(pass_share=0.0).effect, RandomPassSpec(pass_share=0.01).effect) == ("ends", "slows")


@pytest.mark.parametrize("share", [5, 0.05, "500 %", "-1 %", "five"])
def test_a_share_that_is_none_is_refused_with_its_key(share: object) -> None:
    assert list(problems("eco-degrade", meter__random_pass__pass_share=share)) == ["meter.random_pass.pass_share"]
