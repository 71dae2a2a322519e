"""The kinds of queues that a plan may name are ones that the guest's kernel is built with."""

from __future__ import annotations

from typing import get_args

import pytest

from testbed.engine.kernel.recipe import load_recipe
from testbed.records.link_plan import QueueKind

BUILT_IN = {"pfifo", "bfifo"}  # net/sched/sch_fifo.c has no option of its own


@pytest.mark.parametrize("kind", sorted(set(get_args(QueueKind)) - BUILT_IN))
def test_a_queue_that_a_plan_names_is_in_the_kernel(kind: str) -> None:
    assert load_recipe().options.get(f"CONFIG_NET_SCH_{kind.upper()}") == "y"
