from __future__ import annotations

import pytest

from testbed.middlebox.meters.packet_quota import PacketQuota, PacketQuotaSpec
from tests.middlebox.build import problems
from tests.middlebox.meters.build import beginning

SPEC = PacketQuotaSpec(packets=25)


@pytest.mark.parametrize(("before", "pass_"), [(1, 24), (4, 21), (24, 1), (25, 0), (40, 0)])
def test_the_packets_before_the_match_and_the_one_that_matched_are_of_the_quota(before: int, pass_: int) -> None:
    meter = SPEC.start(beginning()._replace(packets=before))
    assert [meter.conforms(1500, 0) for _ in range(30)] == [True] * pass_ + [False] * (30 - pass_)


@pytest.mark.parametrize("length", [0, 2, 1500])
def test_packets_count_whatever_their_size(length: int) -> None:
    meter = PacketQuota(2)
    assert [meter.conforms(length, 0) for _ in range(3)] == [True, True, False]


def test_it_ends_a_flow_and_both_directions_share_it() -> None:
    assert (SPEC.effect, SPEC.is_shared, SPEC.parameters()) == ("ends", True, {"packets": 25})


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"packet_quota": {"packets": 0}}, "meter.packet_quota.packets"),
        ({"packet_quota": {"packets": "25"}}, "meter.packet_quota.packets"),
        (
            {"packet_quota": {"packets": 25}, "token_bucket": {"rate": "1 Mbit/s", "burst": "9 kB"}},
            "meter.packet_quota",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused_with_its_key(changes: dict[str, object], key: str) -> None:
    assert list(problems(meter={"kind": "packet_quota", "counts": "ip_length", **changes})) == [key]
