"""Which of a profile's meters the kernel can be, and how finely that makes time count."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.middlebox.meters.token_bucket import TokenBucketSpec
    from testbed.middlebox.profile import Profile

__all__ = ["arrival_step_ns", "kernel_policer"]

_QUEUE_STEP_NS = 1000


def kernel_policer(profile: Profile) -> TokenBucketSpec | None:
    """Return the token bucket that ``tc police`` is for each throttled flow; None if the meter has to be in user space.

    The kernel can do nothing but meter: a profile is left to it where no packet of a throttled flow changes what the
    box remembers of it, but for its idle time, no other flow has a part in the bucket, and it starts full as tc's does.
    """
    action, flows, metering = profile.action, profile.flows, profile.meter
    if metering is None or not action.is_metering:
        return None
    # A filter of the kernel's has one bucket for one flow, and no clock that would end it.
    if action.scope != "flow" or action.residual_s is not None:
        return None
    # The box would have to see flags that it no longer gets.
    if flows.cleared_by or flows.syn_sent_timeout_s is not None or flows.syn_received_timeout_s is not None:
        return None
    return metering.spec.kernel_policer()


def arrival_step_ns(profile: Profile) -> int:
    """In what steps a live box knows when a packet arrived at its meter.

    NFQUEUE tells whole microseconds (NFQA_TIMESTAMP); ``tc police`` looks at a clock of nanoseconds.
    """
    return _QUEUE_STEP_NS if kernel_policer(profile) is None else 1
