"""Russian access lines in March 2021: subscriber, ISP with TSPU and blocker, backbone, servers abroad and at home.

    client ─ r1 ─ … ─ rN ─┐                              ┌─ university (replay server)
                          ├─ backbone ─ border ─ transit ┼─ origin     (the web outside)
    client ─ r1 ─ … ─ rN ─┘      │
                                 └─ gateway ─ state      (kremlin.ru, behind Rostelecom's gateway)

The TSPU stands after the line's hop ``box_after_hop`` where the line has one, the ISP's own blocking device after hop
``blocker_after_hop``: within the first five hops and at hops 5 to 8, Xue et al., IMC 2021, section 6.4.

    mn --custom topologies/russia2021.py --topo russia2021,hops=6 --link tc --controller none
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

from testbed.guest.network.lines import LINE_OPTIONS, SPARE_PLACES, lines
from testbed.guest.network.topology import Parameter, ParameterError, RoutedTopo, count, delay, rate, share

if TYPE_CHECKING:
    from collections.abc import Iterable

SUBSCRIBERS = "100.64.0.0/10"  # the TSPU stands before the carrier's NAT: shared address space, RFC 6598
ABROAD = "198.51.100.0/24"  # documentation addresses, RFC 5737
AT_HOME = "203.0.113.0/24"

DEFAULT_LINES = [
    {"name": "mobile", "kind": "mobile", "tspu": True},
    {"name": "landline", "kind": "landline", "tspu": True},
    {"name": "rostelecom", "kind": "landline", "tspu": False},
]
MOST_HOPS = 50  # a packet lives for 64, and there are others behind the ISP's


class Russia2021(RoutedTopo):
    """See the module."""

    parameters: ClassVar[dict[str, Parameter]] = {
        "lines": lines(DEFAULT_LINES, LINE_OPTIONS, has_spare_places=True),
        "hops": count(7, "routers between a subscriber and the backbone"),
        "box_after_hop": count(3, "the TSPU stands after this hop (IMC 2021 §6.4: within the first five)"),
        "blocker_after_hop": count(6, "the ISP's own blocker stands after this hop (IMC 2021 §6.4: hops 5 to 8)"),
        "mobile_down": rate("20 Mbit/s", "access rate of mobile lines, to the subscriber"),
        "mobile_up": rate("5 Mbit/s", "access rate of mobile lines, from the subscriber"),
        "landline_down": rate("60 Mbit/s", "access rate of landlines, to the subscriber"),
        "landline_up": rate("30 Mbit/s", "access rate of landlines, from the subscriber"),
        "queue": count(200, "buffer of the access link, each way, in packets"),
        "access_loss": share("0 %", "share of packets that an access link loses, each way"),
        "mobile_delay": delay("15 ms", "one-way delay of a mobile access link"),
        "landline_delay": delay("2 ms", "one-way delay of a landline's access link"),
        "hop_delay": delay("0.5 ms", "one-way delay between the ISP's routers"),
        "backbone_delay": delay("4 ms", "one-way delay between the ISP and the backbone, and to the border"),
        "border_rate": rate("0 bit/s", "rate over the border, each way, shared by all lines; 0: no limit"),
        "border_queue": count(100, "buffer at the border, each way, in packets"),
        "origin_rate": rate("0 bit/s", "rate of the origin's own link, each way; 0: no limit"),
        "abroad_delay": delay("68 ms", "one-way delay over the border to servers abroad (RTT 190 ms: IMC 2021 Fig. 5)"),
    }

    def construct(self, **values: Any) -> None:
        """Lines, backbone, servers."""
        _check_places("", values)
        backbone, border, transit = (self.add_router(name) for name in ("backbone", "border", "transit"))
        for line in values["lines"]:
            self._add_line(line, backbone, values)
        self.connect(backbone, border, delay_s=values["backbone_delay"])
        limit = {"up": values["border_rate"], "down": values["border_rate"], "queue": values["border_queue"]}
        self.connect(border, transit, delay_s=values["abroad_delay"], **limit)
        for name, rate_bps in (("origin", values["origin_rate"]), ("university", 0)):
            server = self.add_server(name, network=ABROAD)
            self.connect(transit, server, delay_s=0.0005, up=rate_bps, down=rate_bps, queue=values["queue"])
        gateway = self.add_router("gateway")
        self.connect(backbone, gateway, delay_s=values["hop_delay"])
        self.connect(gateway, self.add_server("state", network=AT_HOME), delay_s=0.0005)

    def _add_line(self, line: dict[str, Any], backbone: str, values: dict[str, Any]) -> None:
        name = line["name"]
        own = _own_values(line, values)
        _check_places(f"line {name}: ", own)
        _check_spare_places(f"line {name}: ", line.get(SPARE_PLACES, ()), own)
        client = self.add_client(name, line=name, network=SUBSCRIBERS)
        hops = [self.add_router(f"{name}-r{hop}") for hop in range(1, own["hops"] + 1)]
        self.connect(
            client,
            hops[0],
            delay_s=own["delay"],
            up=own["up"],
            down=own["down"],
            queue=own["queue"],
            loss=own["loss"],
        )
        for hop, (near, far) in enumerate(itertools.pairwise(hops), start=1):
            previous = near
            if line["tspu"] and hop == own["box_after_hop"]:
                previous = self._pass_box(previous, f"{name}-tspu", name, "tspu", values["hop_delay"])
            if line["tspu"] and hop in line.get(SPARE_PLACES, ()):
                previous = self._pass_box(
                    previous, f"{name}-tspu-after-{hop}", name, "tspu", values["hop_delay"], after_hop=hop
                )
            if hop == own["blocker_after_hop"]:
                previous = self._pass_box(previous, f"{name}-blocker", name, "blocker", values["hop_delay"])
            self.connect(previous, far, delay_s=values["hop_delay"])
        self.connect(hops[-1], backbone, delay_s=values["backbone_delay"])

    def _pass_box(self, previous: str, box: str, line: str, kind: str, delay_s: float, **place: int) -> str:
        self.add_box(box, line=line, kind=kind, **place)
        self.connect(previous, box, delay_s=delay_s)
        return box


def _own_values(line: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """What holds for one line: what it says itself, and the parameters of its kind or of all lines for the rest."""
    kind = line["kind"]
    of_kind = {"down": f"{kind}_down", "up": f"{kind}_up", "delay": f"{kind}_delay", "loss": "access_loss"}
    return {name: line.get(name, values[of_kind.get(name, name)]) for name in LINE_OPTIONS}


def _check_places(whose: str, values: dict[str, Any]) -> None:
    parameter = "lines" if whose else None
    if values["hops"] > MOST_HOPS:
        problem = f"expected at most {MOST_HOPS}, or packets die on the way, got {values['hops']}"
        raise ParameterError(parameter or "hops", f"{whose}hops: {problem}" if whose else problem)
    for place in ("box_after_hop", "blocker_after_hop"):
        if not 1 <= values[place] < values["hops"]:
            problem = f"expected 1 to {values['hops'] - 1} (one less than hops), got {values[place]}"
            raise ParameterError(parameter or place, f"{whose}{place}: {problem}" if whose else problem)


def _check_spare_places(whose: str, spare: Iterable[int], values: dict[str, Any]) -> None:
    for hop in spare:
        if not 1 <= hop < values["hops"] or hop == values["box_after_hop"]:
            problem = f"expected 1 to {values['hops'] - 1} (one less than hops), and not where the box stands already"
            raise ParameterError("lines", f"{whose}after_hop: {problem}, got {hop}")


topos = {"russia2021": Russia2021}
