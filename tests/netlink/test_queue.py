"""A queue is read back as it was asked for."""

from __future__ import annotations

import struct

import pytest

from testbed.netlink.queue import QUEUE_KINDS, Queue


@pytest.mark.parametrize("kind", QUEUE_KINDS)
def test_what_is_said_is_read_back(kind: str) -> None:
    queue = Queue(kind, 60_000)  # type: ignore[arg-type]
    read = Queue.from_options(kind, queue.options())
    assert read is not None
    assert read.is_like(queue)


def test_a_managed_queue_has_its_times() -> None:
    queue = Queue("codel", 100, target_us=20_000, interval_us=400_000)
    assert Queue.from_options("codel", queue.options()) == queue


def test_other_disciplines_are_no_queues() -> None:
    assert Queue.from_options("netem", b"") is None
    assert Queue.from_options("htb", struct.pack("=I", 3)) is None


def test_the_kernel_rounds_times_and_nothing_else() -> None:
    queue = Queue("codel", 100)
    assert queue.is_like(Queue("codel", 100, target_us=4_999, interval_us=99_999))
    assert not queue.is_like(Queue("codel", 100, target_us=4_900))
    assert not queue.is_like(Queue("codel", 101))
    assert not queue.is_like(Queue("fq_codel", 100))
