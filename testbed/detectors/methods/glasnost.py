"""Glasnost: compare the best speeds of repeated transfers with application payload and with random payload.

Source: Dischinger et al., "Glasnost: Enabling End Users to Detect Traffic Differentiation", NSDI 2010; rule of
marcelscode/glasnost at e54ce9e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import Role
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.detectors.observation import Observation
    from testbed.detectors.verdict import JsonValue

__all__ = ["GlasnostDetector", "differentiates", "noise"]

NOISE: Final = 0.20  # X of the paper
DIFFERENCE: Final = 0.20  # Y of the paper: about 4 % false positives
DIFFERENCE_OF_TWO: Final = 0.50  # of the Python port, where there are only two repeats
MIN_REPEATS: Final = 2  # that moved data
_VERSION: Final = "2"


def noise(speeds: Sequence[float]) -> float:
    """Return (maximum - median) / maximum, where the median is the upper one of an even number.

    Raises:
        ValueError: There is no speed above zero.
    """
    # The maximum, and not the median, stands for what the path can do: whatever disturbs a transfer makes it slower.
    largest = max(speeds, default=0.0)
    if not largest > 0:
        raise ValueError("no transfer moved data")
    return (largest - sorted(speeds)[len(speeds) // 2]) / largest


def differentiates(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return by how much the second type's best speed exceeds the first's, relative to the larger, or None if noisy."""
    if noise(first) > NOISE or noise(second) > NOISE:
        return None
    best_first, best_second = max(first), max(second)
    return (best_second - best_first) / max(best_first, best_second)


@dataclass(frozen=True)
class GlasnostDetector:
    """Compare flow types; a target is application payload, a control random payload.

    The label ``port`` ("app" or "neutral") makes the port test possible; a direction is tested by itself. Flow types
    with fewer than two transfers that moved data have no verdict.
    """

    name: str = "glasnost"
    summary: str = "best speeds of repeated transfers (Dischinger et al., NSDI 2010)"

    def detect(self, observation: Observation) -> Verdict:
        """Compare target with control on each port, and ports with one another; any clear difference decides."""
        types: dict[tuple[str, str, Role], list[float]] = {}
        repeats: dict[tuple[str, str, Role], int] = {}
        for transfer in observation.transfers:
            if transfer.role is not Role.UNKNOWN:
                key = (str(transfer.direction), transfer.labels.get("port", "app"), transfer.role)
                repeats[key] = repeats.get(key, 0) + 1
                types.setdefault(key, [])
                if (speed := transfer.goodput_bps) is not None:  # what moved nothing is left out, as released
                    types[key].append(speed)
        found: dict[str, tuple[float, float]] = {}
        noisy: list[str] = []
        short: list[str] = []
        for (first, second), name in self._comparisons(types):
            if min(len(types[first]), len(types[second])) < MIN_REPEATS:
                short.append(name)
                continue
            try:
                difference = differentiates(types[first], types[second])
            except ValueError:
                difference = None
            if difference is None:
                noisy.append(name)
                continue
            # by how many repeats were made, whether they moved data or not
            limit = DIFFERENCE_OF_TWO if min(repeats[first], repeats[second]) == MIN_REPEATS else DIFFERENCE
            # between ports either may be the slower one, and the released rule takes the distance
            found[name] = (abs(difference) if name.startswith("port") else difference, limit)
        return self._verdict(found, noisy, short)

    @staticmethod
    def _comparisons(
        types: dict[tuple[str, str, Role], list[float]],
    ) -> list[tuple[tuple[tuple[str, str, Role], tuple[str, str, Role]], str]]:
        result = []
        for direction in sorted({key[0] for key in types}):
            for port in ("app", "neutral"):
                pair = ((direction, port, Role.TARGET), (direction, port, Role.CONTROL))
                result.append((pair, f"payload on the {port} port, {direction}"))
            for role in (Role.TARGET, Role.CONTROL):
                pair = ((direction, "app", role), (direction, "neutral", role))
                result.append((pair, f"port with {role} payload, {direction}"))
        return [item for item in result if item[0][0] in types and item[0][1] in types]

    def _verdict(self, found: dict[str, tuple[float, float]], noisy: list[str], short: list[str]) -> Verdict:
        details: dict[str, JsonValue] = {
            "differences": {name: difference for name, (difference, _) in found.items()},
            "noisy": noisy,
        }
        if not found:
            why = (
                f"too noisy: {', '.join(noisy)}"
                if noisy
                else f"Glasnost needs at least {MIN_REPEATS} repeats of a target and a control that moved data"
            )
            return inconclusive(self.name, why, version=_VERSION, details=details)
        name, (difference, limit) = max(found.items(), key=lambda item: item[1][0] - item[1][1])
        throttled = difference > limit
        return Verdict(
            detector=self.name,
            version=_VERSION,
            outcome=Outcome.THROTTLED if throttled else Outcome.NOT_THROTTLED,
            why=f"{name}: best speeds differ by {difference:.0%}, against a threshold of {limit:.0%}"
            + (f"; without repeats: {', '.join(short)}" if short else ""),
            score=float(np.clip(difference, -1.0, 1.0)),
            content_specific=True if throttled and name.startswith("payload") else None,
            details=details,
        )
