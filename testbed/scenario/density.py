"""Whether a schedule leaves its measurements the time that they need at the very least."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.plan import LinePlan, OriginPlan, TransferPlan
    from testbed.scenario.place import Places

__all__ = ["LeastTimes", "refuse_dense_schedule"]

_BITS_A_MEGABIT = 1e6  # Mininet's links have their rates in Mbit/s


class LeastTimes:
    """How long transfers take at the very least: their payload at the least rate of the way and of the two ends.

    Args:
        topology: With the links' rates.
        origins: By node: some have rates of their own.
    """

    def __init__(self, topology: RoutedTopo, origins: Mapping[str, OriginPlan]) -> None:
        self._origins = origins
        self._sides: dict[tuple[str, str], float | None] = {}
        self._ways: dict[tuple[str, ...], float | None] = {}  # many transfers have few ways
        for first, second, info in topology.iterLinks(withInfo=True):
            for near, far in ((first, second), (second, first)):
                side = info["params1" if info["node1"] == near else "params2"]
                self._sides[near, far] = side["bw"] * _BITS_A_MEGABIT if side.get("bw") else None

    def of(self, transfer: TransferPlan, path: list[str]) -> float:
        """Return the least time of a transfer over a path from its client, in seconds; 0: its size is not planned."""
        if transfer["kind"] not in {"fetch", "curl", "upload"}:
            return 0.0
        rates = [self.bottleneck_bps(path if transfer["direction"] == "upload" else path[::-1])]
        if path[-1] in self._origins:
            rates += [self._origins[path[-1]].get("rate_bps"), self._origins[path[-1]].get("pacing_bps")]
        if transfer["kind"] == "fetch":
            rates.append(transfer.get("reading_bps"))
        known = [rate for rate in rates if rate]
        return transfer["size"] * 8 / min(known) if known else 0.0

    def bottleneck_bps(self, path: Sequence[str]) -> float | None:
        """Return the least rate of a way from its first node to its last; None: none of its links has one."""
        way = tuple(path)
        if way not in self._ways:
            rates = [self._sides[pair] for pair in pairwise(way)]
            self._ways[way] = min((rate for rate in rates if rate), default=None)
        return self._ways[way]


def refuse_dense_schedule(
    lines: Iterable[LinePlan], every_s: float, needs_s: Callable[[TransferPlan], float], places: Places
) -> None:
    """Refuse a schedule whose rounds are shorter than what is measured in each takes on one of the lines.

    Raises:
        ScenarioError: With the line, and what its transfers need.
    """
    for line in lines:
        rounds: dict[int, float] = defaultdict(float)
        for transfer in line["transfers"]:
            rounds[int(transfer["at_s"] // every_s)] += needs_s(transfer) + transfer.get("pause_s", 0.0)
        longest_s = max(rounds.values(), default=0.0)
        if longest_s > every_s:
            raise places.error(
                ("schedule", "every"),
                f"the measurements of a round take {longest_s:g} s on line {line['name']} at the least (payload at the "
                f"rate of its way), and the next round begins {every_s:g} s after it; measure less often, or less",
            )
