"""Gives each flow that matched its action, as the profile says: its own, or one that a subscriber's flows share."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from testbed.middlebox.enforcement.actions import Action, Delay, Shape, Throttle
from testbed.middlebox.enforcement.blocking import BlockPage, Drop, Reset, Rewrite
from testbed.middlebox.enforcement.shaper import ShaperSpec
from testbed.middlebox.profile.measures import METERED

if TYPE_CHECKING:
    from random import Random

    from testbed.middlebox.profile import Profile

__all__ = ["Enforcement"]


class Enforcement:
    """Makes actions. What they draw by lot comes from the box's generator."""

    __slots__ = ("_profile", "_random", "_subscribers")

    def __init__(self, profile: Profile, random: Random) -> None:
        """Act as ``profile`` says."""
        self._profile = profile
        self._random = random
        # A subscriber's meters live as long as one of the flows that share them is remembered.
        self._subscribers: WeakValueDictionary[bytes, Throttle | Shape] = WeakValueDictionary()

    def action(self, subscriber: bytes, opened_ns: int, now_ns: int = 0) -> Action:  # noqa: PLR0911 - one for each kind
        """The action for a flow of ``subscriber`` (a packed address), opened at ``opened_ns``, that matches now."""
        spec = self._profile.action
        if spec.kind == "delay":
            return Delay(spec.delay_s, spec.directions)
        if spec.kind == "drop":
            return Drop(spec, self._random.randint(*spec.after_packets))
        if spec.kind == "reset":
            return Reset(spec)
        if spec.kind == "rewrite":
            return Rewrite(spec)
        if spec.kind == "block_page":
            return BlockPage(spec)
        if spec.kind != METERED:
            raise ValueError(f"no action of kind {spec.kind}")
        if spec.scope != "subscriber":
            return self.metered(opened_ns, now_ns)
        shared = self._subscribers.get(subscriber)
        if shared is None:
            shared = self._subscribers[subscriber] = self.metered(opened_ns, now_ns)
        return shared

    def metered(self, opened_ns: int, now_ns: int = 0) -> Throttle | Shape:
        """Fresh meters."""
        metering, directions = self._profile.metering, self._profile.action.directions
        if metering is None:
            raise ValueError(f"profile {self._profile.name} has no meter")
        if isinstance(metering.spec, ShaperSpec):
            return Shape(metering.spec, directions, counts=metering.counts)
        return Throttle(
            metering.spec,
            directions,
            opened_ns=opened_ns,
            matched_ns=now_ns,
            counts=metering.counts,
            random=self._random,
        )
