from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.meters.byte_quota import ByteQuotaSpec
from testbed.middlebox.meters.random_pass import RandomPassSpec
from testbed.middlebox.meters.token_bucket import TokenBucketSpec
from testbed.middlebox.profile.metering import LENGTHS, MeterChoice
from tests.middlebox.build import Connection

if TYPE_CHECKING:
    from testbed.middlebox.meters import MeterSpec
    from testbed.middlebox.packet import Packet

BUCKET, CHANCE = TokenBucketSpec(rate_bps=8_000, burst_bytes=3_000), RandomPassSpec(pass_share=0.1)


def choice(*specs: MeterSpec, kind: str | None = None, counts: str = "ip_length") -> MeterChoice:
    described = {spec.kind: spec for spec in specs}
    return MeterChoice(kind=kind or specs[0].kind, counts=counts, described=described)


def test_the_meter_that_is_used_is_one_of_those_described() -> None:
    both = choice(BUCKET, CHANCE)
    assert both.spec is BUCKET
    assert both.with_kind("random_pass").spec is CHANCE
    with pytest.raises(KeyError):
        both.with_kind("shaper")


def test_what_is_plain_is_built_again() -> None:
    both = choice(BUCKET, CHANCE)
    assert both.to_dict() == {
        "kind": "token_bucket",
        "counts": "ip_length",
        "token_bucket": {"rate_bps": 8_000, "burst_bytes": 3_000},
        "random_pass": {"pass_share": 0.1},
    }
    assert MeterChoice.from_dict(both.to_dict()) == both


@pytest.mark.parametrize(("counts", "length"), [("ip_length", 140), ("payload", 100), ("frame_length", 154)])
def test_what_counts_of_a_packet_can_be_chosen(counts: str, length: int) -> None:
    packet: Packet = Connection().up(bytes(100))
    assert choice(CHANCE, counts=counts).length(packet) == length
    assert counts in LENGTHS


@pytest.mark.parametrize(
    ("chosen", "keys"),
    [
        (choice(BUCKET), []),
        (choice(BUCKET, counts="payload"), ["counts"]),
        (choice(CHANCE, BUCKET, counts="payload"), []),  # the bucket is not used
        (choice(BUCKET, kind="shaper"), ["kind"]),
        (MeterChoice(kind="shaper", counts="payload", described={}), ["shaper"]),
        (choice(BUCKET, ByteQuotaSpec(quota_bytes=1)), ["byte_quota"]),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_told_with_its_key(chosen: MeterChoice, keys: list[str]) -> None:
    assert [key for key, _ in chosen.problems()] == keys
