from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.meters.byte_quota import ByteQuota, ByteQuotaSpec
from tests.middlebox.build import problems
from tests.middlebox.meters.build import beginning


@given(st.lists(st.integers(0, 1500), max_size=80), st.integers(0, 20_000))
def test_a_quota_passes_the_beginning_and_then_only_empty_packets(lengths: list[int], quota: int) -> None:
    meter = ByteQuota(quota)
    frozen, passed = False, 0
    for length in lengths:
        frozen = frozen or passed + length > quota
        assert meter.conforms(length, 0) == (not frozen or length == 0)
        passed += length


def test_a_quota_ends_a_flow_and_names_its_size() -> None:
    spec = ByteQuotaSpec(quota_bytes=16384)
    assert (spec.effect, spec.parameters()) == ("ends", {"quota_bytes": 16384})
    assert spec.start(beginning()).conforms(16384, 0)


def test_a_quota_beside_a_rate_is_refused_with_its_key() -> None:
    found = problems("ru-16k-2025", meter__token_bucket={"rate": "140 kbit/s", "burst": "16 KiB"})
    assert found == {"meter.byte_quota": "a quota and a rate exclude each other; describe one of them"}
