"""A policer on all that leaves an interface: a filter on its egress hook with a police action (net/sched/act_police.c).

It stands before the interface's queue, and drops what is over its rate at once; so subscribers' tariffs are often kept.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from testbed.netlink import tc
from testbed.netlink.socket import NLM_F_CREATE, NLM_F_EXCL, Request, attribute, attributes, nested

if TYPE_CHECKING:
    from testbed.netlink.socket import NetlinkSocket

__all__ = ["Policer", "add_policer", "policers"]

_EGRESS: Final = 0xFFFFFFF3  # TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)
_ETH_P_ALL: Final = 0x0003
_DROP: Final = 2  # TC_ACT_SHOT
_TCMSG = struct.Struct("=BxxxiIII")


@dataclass(frozen=True, slots=True)
class Policer:
    """A policer: bytes per second, and how many bytes may come at once."""

    rate: int
    burst: int

    @property
    def ticks(self) -> int:
        """The burst as the kernel keeps it: its time at the rate, in units of 64 ns."""
        return self.burst * tc.NS_PER_S // self.rate // tc.NS_PER_TICK

    def is_like(self, other: Policer) -> bool:
        """Return whether two are the same but for the rounding of a tick."""
        return self.rate == other.rate and abs(self.ticks - other.ticks) <= 1


def add_policer(index: int, policer: Policer) -> list[Request]:
    """Police what leaves link ``index``: IPv4, IPv6 and anything else."""
    kind, options = tc.police(policer.rate, policer.ticks, exceed=_DROP, conform=tc.TC_ACT_OK)
    action = nested(1, attribute(tc.TCA_ACT_KIND, kind.encode() + b"\0"), nested(tc.TCA_ACT_OPTIONS, options))
    body = (
        _TCMSG.pack(socket.AF_UNSPEC, index, 1, _EGRESS, 1 << 16 | socket.htons(_ETH_P_ALL))
        + attribute(tc.TCA_KIND, b"flower\0")
        + nested(tc.TCA_OPTIONS, nested(tc.TCA_FLOWER_ACT, action))  # no key: every packet matches
    )
    what = f"police link {index} to {policer.rate} bytes per second"
    return [tc.add_clsact(index), Request(tc.RTM_NEWTFILTER, body, flags=NLM_F_CREATE | NLM_F_EXCL, what=what)]


def policers(kernel: NetlinkSocket, index: int) -> list[Policer]:
    """Return the policers on what leaves a link."""
    found: list[Policer] = []
    request = _TCMSG.pack(0, index, 0, _EGRESS, 0)
    for body in kernel.dump(tc.RTM_GETTFILTER, request, what=f"list the policers of link {index}"):
        number = _TCMSG.unpack_from(body)[2]
        options = attributes(attributes(body[_TCMSG.size :]).get(tc.TCA_OPTIONS, b""))
        if not number or tc.TCA_FLOWER_ACT not in options:
            continue  # a dump has an entry for each priority, too
        for action in attributes(options[tc.TCA_FLOWER_ACT]).values():
            values = attributes(action)
            if values[tc.TCA_ACT_KIND].rstrip(b"\0") == b"police":
                found.append(_policer(attributes(values[tc.TCA_ACT_OPTIONS])[tc.TCA_POLICE_TBF]))
    return found


def _policer(parameters: bytes) -> Policer:
    # struct tc_police: index, action, limit, burst, mtu, and the rate at the end of struct tc_ratespec.
    ticks, rate = struct.unpack_from("=I", parameters, 12)[0], struct.unpack_from("=I", parameters, 28)[0]
    return Policer(rate, round(ticks * tc.NS_PER_TICK * rate / tc.NS_PER_S))
