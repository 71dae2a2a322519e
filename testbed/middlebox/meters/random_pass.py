"""Each packet passes with a fixed probability: "protocol capacity" of ECO26, noticeable at 2-10 percent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.meters.meter import MeterSpec, Policer
from testbed.quantities import Share

if TYPE_CHECKING:
    from random import Random

    from testbed.middlebox.meters.meter import Beginning
    from testbed.records.truth import Effect

__all__ = ["RandomPass", "RandomPassSpec"]


class RandomPass(Policer):
    """A draw a packet."""

    __slots__ = ("_random", "_share")

    def __init__(self, *, pass_share: float, random: Random) -> None:
        """Draw from ``random``, one number a packet."""
        self._share = pass_share
        self._random = random

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet may pass."""
        del length, now_ns  # chance knows neither
        return self._random.random() < self._share


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomPassSpec(MeterSpec):
    """A random pass as a profile describes it."""

    kind = "random_pass"
    limits = "share"

    pass_share: Share

    @property
    def effect(self) -> Effect:
        """What it means for a flow: one of which nothing passes is over."""
        return "slows" if self.pass_share else "ends"

    def start(self, beginning: Beginning) -> RandomPass:
        """Return a meter that draws from the box's generator."""
        return RandomPass(pass_share=self.pass_share, random=beginning.random)
