from __future__ import annotations

import pytest

from testbed.middlebox.meters import METERS
from testbed.middlebox.meters.meter import Policer


def test_each_module_of_the_folder_has_the_meter_of_its_name() -> None:
    assert list(METERS) == ["byte_quota", "coarse_refill", "packet_quota", "random_pass", "shaper", "token_bucket"]
    assert all(METERS[kind].__module__ == f"testbed.middlebox.meters.{kind}" for kind in METERS)


def test_a_policer_lets_a_packet_pass_at_once_or_not_at_all() -> None:
    class Small(Policer):
        def conforms(self, length: int, now_ns: int) -> bool:
            return length < now_ns

    assert (Small().departure_ns(4, 5), Small().departure_ns(6, 5)) == (5, None)


@pytest.mark.parametrize("kind", METERS)
def test_every_meter_says_what_it_limits(kind: str) -> None:
    assert METERS[kind].limits in {"rate", "amount", "share"}
