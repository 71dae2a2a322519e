"""The first so many bytes pass, then nothing: the freeze of 2025 (CF25, N4P490), which is no rate limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from testbed.middlebox.meters.meter import MeterSpec, Policer
from testbed.middlebox.written import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.meters.meter import Beginning
    from testbed.middlebox.profile.metering import MeterChoice
    from testbed.records.truth import Effect

__all__ = ["ByteQuota", "ByteQuotaSpec"]


class ByteQuota(Policer):
    """What is left of an amount."""

    __slots__ = ("_left",)

    def __init__(self, quota_bytes: int) -> None:
        """Allow ``quota_bytes``."""
        self._left = quota_bytes

    def conforms(self, length: int, now_ns: int) -> bool:
        """Whether a packet may pass. From the first that exceeds the quota on, only empty ones do."""
        del now_ns  # a quota has no time
        if length > self._left:
            # A smaller packet after it must not pass either: what froze stays frozen (N4P490).
            self._left = 0
            return not length
        self._left -= length
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteQuotaSpec(MeterSpec):
    """A byte quota as a profile describes it."""

    kind = "byte_quota"
    limits = "amount"

    quota_bytes: Annotated[int, size(0)]

    @property
    def effect(self) -> Effect:
        """Once it is used up nothing passes: that ends a flow, and slows none."""
        return "ends"

    def start(self, beginning: Beginning) -> ByteQuota:
        """A fresh quota."""
        del beginning
        return ByteQuota(self.quota_bytes)

    def problems(self, choice: MeterChoice) -> Iterator[Problem]:
        """A rate beside it: which of the two was meant would be anybody's guess."""
        if any(each.limits == "rate" for each in choice.described.values()):
            yield self.kind, "a quota and a rate exclude each other; describe one of them"
