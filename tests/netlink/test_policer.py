"""A policer of a link as it is said to the kernel. What it does is tried in a guest: tests/engine/test_links.py."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from testbed.netlink import tc
from testbed.netlink.policer import Policer, add_policer, policers
from testbed.netlink.socket import attribute, attributes, nested

TCMSG = struct.Struct("=BxxxiIII")


class Kernel:
    """A kernel that lists what it was told, with the entry of the priority before it."""

    def __init__(self, body: bytes) -> None:
        self._filter = body

    def dump(self, kind: int, body: bytes, *, what: str) -> list[bytes]:
        assert kind == tc.RTM_GETTFILTER
        assert what
        header, rest = TCMSG.unpack_from(self._filter), self._filter[TCMSG.size :]
        assert TCMSG.unpack_from(body)[3] == header[3]
        priority = TCMSG.pack(header[0], header[1], 0, header[3], header[4]) + attribute(tc.TCA_KIND, b"flower\0")
        return [priority, TCMSG.pack(*header) + rest]


@given(st.integers(125, 10**9), st.integers(1514, 10**7))
def test_what_is_said_is_read_back(rate: int, burst: int) -> None:
    policer = Policer(rate, burst)
    if policer.ticks >= 1 << 32:
        return  # more than the kernel's field; scenarios cannot ask for it in seconds that matter
    _, request = add_policer(3, policer)
    kernel: Any = Kernel(request.body)
    (found,) = policers(kernel, 3)
    assert policer.is_like(found)


def test_another_rate_or_burst_is_another_policer() -> None:
    policer = Policer(250_000, 100_000)
    assert not policer.is_like(Policer(250_001, 100_000))
    assert not policer.is_like(Policer(250_000, 100_100))


def test_a_filter_that_does_something_else_is_none() -> None:
    action = nested(1, attribute(tc.TCA_ACT_KIND, b"mirred\0"), nested(tc.TCA_ACT_OPTIONS, b""))
    options = nested(tc.TCA_OPTIONS, nested(tc.TCA_FLOWER_ACT, action))
    kernel: Any = Kernel(TCMSG.pack(0, 3, 1, 0xFFFFFFF3, 0) + attribute(tc.TCA_KIND, b"flower\0") + options)
    assert attributes(options)
    assert policers(kernel, 3) == []
