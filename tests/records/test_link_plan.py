"""The kinds of queues that a plan may name are those that are said to the kernel."""

from __future__ import annotations

from typing import get_args

from testbed.netlink.queue import QUEUE_KINDS, Queue
from testbed.records.link_plan import QueueKind


def test_every_kind_of_queue_can_be_said_to_the_kernel() -> None:
    assert get_args(QueueKind) == QUEUE_KINDS
    assert all(Queue(kind, 60_000).options() for kind in QUEUE_KINDS)
