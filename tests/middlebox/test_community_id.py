from __future__ import annotations

from ipaddress import ip_address

import communityid
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.community_id import community_id

# From the baseline of the specification, https://github.com/corelight/community-id-spec/tree/master/baseline
BASELINE = [
    (6, ("128.232.110.120", 34855), ("66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (17, ("192.168.1.52", 54585), ("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (
        6,
        ("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943),
        ("2607:f8b0:400c:c03::1a", 25),
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
    ),
]


@pytest.mark.parametrize(("protocol", "one", "other", "expected"), BASELINE)
def test_agrees_with_the_specification_in_both_directions(
    protocol: int, one: tuple[str, int], other: tuple[str, int], expected: str
) -> None:
    ends = [(ip_address(address).packed, port) for address, port in (one, other)]
    assert community_id(protocol, *ends[0], *ends[1]) == expected
    assert community_id(protocol, *ends[1], *ends[0]) == expected


@given(
    st.sampled_from([6, 17]), st.sampled_from([4, 16]), st.data(),
    st.tuples(st.integers(0, 65_535), st.integers(0, 65_535)),
)  # fmt: skip
def test_agrees_with_the_specifications_own_package(
    protocol: int, size: int, data: st.DataObject, ports: tuple[int, int]
) -> None:
    """Of both IP versions, and where the two ends differ in the port alone."""
    one = data.draw(st.binary(min_size=size, max_size=size))
    other = data.draw(st.one_of(st.just(one), st.binary(min_size=size, max_size=size)))
    tuple_ = communityid.FlowTuple(protocol, str(ip_address(one)), str(ip_address(other)), *ports)
    assert community_id(protocol, one, ports[0], other, ports[1]) == communityid.CommunityID().calc(tuple_)
