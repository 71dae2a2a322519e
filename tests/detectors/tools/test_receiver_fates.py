"""What a capture at the receiver tells: holes are losses, unless they are filled sooner than a sender could."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.detectors.tools.receiver_fates import Received, receive
from tests.detectors.build import bottleneck_flow, received_flow

if TYPE_CHECKING:
    from testbed.capture import Flow

RTT_S = 0.05
SIZE = 1000


def arriving(*packets: tuple[float, int]) -> Flow:
    """A receiver's capture: times in seconds, and which segment came."""
    sent, _ = bottleneck_flow(kind="none", packets=len(packets))
    rows = np.flatnonzero(sent.payload > 0)
    flow = sent.take(rows)
    return replace(
        flow,
        t_ns=np.array([round(time_s * 1e9) for time_s, _ in packets]),
        seq=np.array([5 + number * SIZE for _, number in packets]),
        payload=np.full(len(packets), SIZE),
    )


def received(*packets: tuple[float, int]) -> Received:
    found = receive(arriving(*packets), rtt_s=RTT_S)
    assert found is not None
    return found


def test_a_hole_that_is_filled_after_a_round_trip_was_a_loss() -> None:
    found = received((0.0, 0), (0.01, 3), (0.08, 1), (0.09, 2))
    assert found.fates.lost.tolist() == [False, True, True, False, False, False]
    assert found.fates.times_s.tolist() == pytest.approx([0.0, 0.01, 0.01, 0.01, 0.08, 0.09])
    assert len(found.repeated_s) == 0


def test_a_hole_that_is_filled_at_once_was_an_overtaking() -> None:
    assert not received((0.0, 0), (0.01, 2), (0.02, 1), (0.03, 3)).fates.lost.any()


def test_a_hole_that_is_never_filled_was_a_loss() -> None:
    assert received((0.0, 0), (0.01, 2)).fates.lost.sum() == 1


def test_what_comes_again_was_not_heard_of() -> None:
    found = received((0.0, 0), (0.01, 1), (0.3, 0), (0.4, 2))
    assert found.repeated_s.tolist() == pytest.approx([0.3])
    assert not found.fates.lost.any()


def test_a_gap_of_the_capture_is_no_loss() -> None:
    assert not received((0.0, 0), (0.01, 100_000), (0.02, 100_001)).fates.lost.any()


def test_without_a_segment_of_some_size_nothing_is_told() -> None:
    small = replace(arriving((0.0, 0), (0.1, 1)), payload=np.full(2, 40))
    assert receive(small, rtt_s=RTT_S) is None


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.2])
def test_it_counts_as_many_first_losses_as_there_were(loss: float) -> None:
    flow, dropped = bottleneck_flow(kind="none", loss=loss, rtt_s=RTT_S, packets=300)
    found = receive(received_flow(flow, dropped), rtt_s=RTT_S)
    assert found is not None
    data = np.flatnonzero(flow.payload > 0)
    first = np.unique(flow.seq[data], return_index=True)[1]
    # The last ones leave no hole: nothing came after them.
    lost = int(dropped[first].sum())
    assert lost - 3 <= found.fates.lost.sum() <= lost
