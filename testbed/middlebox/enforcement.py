"""Gives each flow that matched its treatment, as the profile says: its own, or one that a subscriber's flows share."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from testbed.middlebox.meters import Beginning

if TYPE_CHECKING:
    from random import Random

    from testbed.middlebox.actions import Treatment
    from testbed.middlebox.profile import Profile

__all__ = ["Enforcement"]


class Enforcement:
    """Makes treatments. What they draw by lot comes from the box's generator."""

    __slots__ = ("_profile", "_random", "_subscribers")

    def __init__(self, profile: Profile, random: Random) -> None:
        """Act as ``profile`` says."""
        self._profile = profile
        self._random = random
        # What a subscriber's flows share lives as long as one of them is remembered.
        self._subscribers: WeakValueDictionary[bytes, Treatment] = WeakValueDictionary()

    def treatment(self, subscriber: bytes, opened_ns: int, now_ns: int, packets: int = 1) -> Treatment:
        """Return what is done to a flow of ``subscriber``, a packed address, that matches now.

        Args:
            subscriber: Whose flow it is.
            opened_ns: When it was opened.
            now_ns: When it matches.
            packets: How many of its packets the box has seen, with this one.
        """
        if self._profile.action.scope != "subscriber":
            return self.fresh(opened_ns, now_ns, packets)
        shared = self._subscribers.get(subscriber)
        if shared is None:
            shared = self._subscribers[subscriber] = self.fresh(opened_ns, now_ns, packets)
        return shared

    def fresh(self, opened_ns: int, now_ns: int, packets: int = 1) -> Treatment:
        """Return one that nobody shares yet."""
        beginning = Beginning(opened_ns, now_ns, self._random, packets)
        return self._profile.action.make(beginning, self._profile.meter)
