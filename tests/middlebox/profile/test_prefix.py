from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.profile.prefix import Prefix


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 2**32 - 1))
def test_agrees_with_the_standard_library(network: int, length: int, address: int) -> None:
    expected = ip_network((network, length), strict=False)
    assert (IPv4Address(address).packed in Prefix(str(expected))) == (IPv4Address(address) in expected)


def test_an_address_of_the_other_family_is_not_in_it() -> None:
    assert ip_address("::").packed not in Prefix("0.0.0.0/0")
    assert ip_address("0.0.0.0").packed not in Prefix("::/0")  # noqa: S104 - an address, not a socket


@pytest.mark.parametrize("text", ["10.0.0.1/8", "300.0.0.0", "", "2001:db8::/129"])
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Prefix(text)
