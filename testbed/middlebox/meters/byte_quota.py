"""The first so many bytes pass, then nothing: the freeze of 2025 (CF25, N4P490), which is no rate limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from testbed.middlebox.meters.meter import AmountSpec, Policer
from testbed.middlebox.written import size

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Beginning

__all__ = ["ByteQuota", "ByteQuotaSpec"]


class ByteQuota(Policer):
    """What is left of an amount."""

    __slots__ = ("_left",)

    def __init__(self, quota_bytes: int) -> None:
        """Allow ``quota_bytes``."""
        self._left = quota_bytes

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet may pass. From the first that exceeds the quota on, only empty ones do."""
        del now_ns  # a quota has no time
        if length > self._left:
            # A smaller packet after it must not pass either: what froze stays frozen (N4P490).
            self._left = 0
            return not length
        self._left -= length
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteQuotaSpec(AmountSpec):
    """A byte quota as a profile describes it."""

    kind = "byte_quota"

    quota_bytes: Annotated[int, size(0)]

    def start(self, beginning: Beginning) -> ByteQuota:
        """Return a fresh quota."""
        del beginning
        return ByteQuota(self.quota_bytes)
