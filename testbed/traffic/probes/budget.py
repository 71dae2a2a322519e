"""How many more packets the box looks at after the first (Xue et al., IMC 2021, section 6.2: 3 to 15).

A valid TLS record keeps the box reading. So many of them first, each in a packet of its own, and then the hello: it has
an effect as long as the box still looks. The number is drawn anew for every flow, so many flows are tried with each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from testbed.middlebox.craft import CHANGE_CIPHER_SPEC
from testbed.traffic.hello import client_hello
from testbed.traffic.options import option, whole
from testbed.traffic.probes.trials import in_packets

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.records.probes import BudgetFound, BudgetStep
    from testbed.traffic.probes.trials import Trials

__all__ = ["Budget", "count_over_flows", "range_read"]

_MORE_AT_THE_EDGE = 3  # so many times the flows, before all of them, or none, counts as never otherwise


@dataclass(frozen=True, slots=True)
class Budget:
    """The share of flows in which the box still looks, by the number of packets before the hello."""

    flows: int = option(20, whole(1, 100), "flows for each number of packets; three times as many at both ends")
    most: int = option(30, whole(1, 60), "the largest number of packets before the hello")

    def run(self, trials: Trials) -> BudgetFound:
        """Send more and more records before the hello. ``always``, ``at_most``: read in all flows, and in any."""
        hello = client_hello(trials.name)
        steps: list[BudgetStep] = []
        for before in range(1, self.most + 1):
            passage = in_packets(*[CHANGE_CIPHER_SPEC] * before, hello)
            flows, read = count_over_flows(partial(trials.held_back, passage), self.flows)
            steps.append({"before": before, "flows": flows, "read": read})
            if not read:
                break  # the budget is a maximum: what is not read here is not read later
        always, at_most = range_read(steps)
        return {"steps": steps, "always": always, "at_most": at_most}


def count_over_flows(is_read: Callable[[], bool], flows: int) -> tuple[int, int]:
    """Try so many flows, more where all agree; how many were tried, and in how many the hello was read."""
    tried, read = flows, sum(is_read() for _ in range(flows))
    while read in {0, tried} and tried < flows * _MORE_AT_THE_EDGE:
        tried, read = tried + 1, read + is_read()
    return tried, read


def range_read(steps: list[BudgetStep]) -> tuple[int, int]:
    """Return how many packets are read in all flows, and how many in any."""
    always = next((each["before"] - 1 for each in steps if each["read"] < each["flows"]), len(steps))
    return always, max((each["before"] for each in steps if each["read"]), default=0)
