"""Round-trip time samples at a sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from testbed.capture import NEVER, Sent, sent_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.capture import Flow

__all__ = ["data_side", "rtt_by_packet", "rtt_samples", "sent_data"]


def data_side(flow: Flow) -> bool:
    """Return whether endpoint *a* sent more payload than the other."""
    return bool(int(flow.payload[flow.from_a].sum()) * 2 > int(flow.payload.sum()))


def sent_data(flow: Flow) -> Sent:
    """Follow the direction that carried more payload."""
    return sent_by(flow, from_a=data_side(flow))


def rtt_by_packet(flow: Flow, sent: Sent) -> NDArray[np.float64]:
    """Return each wire packet's round-trip time (s), NaN where it is none, float64, shape (n,).

    Packets behind a hole are acknowledged by SACK at once, so they count; repeated packets never do (Karn's rule), nor
    do delays below zero, which a clock that jumped back gives.
    """
    usable = (sent.payload > 0) & ~sent.retransmitted & ~sent.is_retransmission & (sent.acked_row != NEVER)
    delay = (flow.t_ns[sent.acked_row] - sent.t_ns) / 1e9
    return np.where(usable & (delay > 0), delay, np.nan)


def rtt_samples(flow: Flow, sent: Sent) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times of sending (s since 1970) and round-trip times (s), of those packets that have one."""
    delay = rtt_by_packet(flow, sent)
    known = np.isfinite(delay)
    return sent.t_ns[known] / 1e9, delay[known]
