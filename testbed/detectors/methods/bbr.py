"""BBR's long-term bandwidth rule: two loss-ridden intervals in a row that deliver at the same rate mean a policer.

Source: Linux net/ipv4/tcp_bbr.c (BBRv1), constants ``bbr_lt_*``; replayed over a sender's packets. Packets do not show
whether the sender was application-limited, so that reset is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture import sent_by
from testbed.detectors.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.capture import Flow
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["AckEvent", "BbrDetector", "LongTermBandwidth", "ack_events", "long_term_bandwidth"]

MIN_ROUNDS: Final = 4
MAX_ROUNDS: Final = 4 * MIN_ROUNDS
LOSS_RATIO: Final = 50 / 256
AGREEING_RATIO: Final = 1 / 8
AGREEING_BPS: Final = 4000
HOLD_ROUNDS: Final = 48
_CLOCK_S: Final = 0.001
_MIN_ACKS: Final = 10


@dataclass(frozen=True, slots=True)
class AckEvent:
    """What one acknowledgement tells the sender.

    Attributes:
        t_s: Time, seconds.
        delivered: Packets delivered so far.
        lost: Packets marked lost so far.
        losses: Packets newly marked lost.
        round_start: Whether it begins a round trip.
    """

    t_s: float
    delivered: int
    lost: int
    losses: int
    round_start: bool


@dataclass(frozen=True, slots=True)
class LongTermBandwidth:
    """A policer found: when, and its rate in packets a second."""

    t_s: float
    packets_per_s: float


def long_term_bandwidth(events: Iterable[AckEvent], *, packet_bytes: float) -> LongTermBandwidth | None:
    """Run the rule over a sender's acknowledgements; return the first policer found.

    Args:
        events: In order of time.
        packet_bytes: Size of a packet, for the tolerance of 4 kbit/s.
    """
    sampling = False
    rounds = 0
    bandwidth: float | None = None
    started: tuple[float, int, int] = (0.0, 0, 0)
    for event in events:
        if not sampling:
            if not event.losses:
                continue
            sampling, rounds = True, 0
            started = (event.t_s, event.delivered, event.lost)
        rounds += event.round_start
        if rounds < MIN_ROUNDS:
            continue
        if rounds > MAX_ROUNDS:
            sampling, bandwidth = False, None
            continue
        delivered, lost = event.delivered - started[1], event.lost - started[2]
        elapsed_s = event.t_s - started[0]
        if not event.losses or delivered <= 0 or lost < LOSS_RATIO * delivered or elapsed_s < _CLOCK_S:
            continue
        found = delivered / elapsed_s
        if bandwidth is not None:
            difference = abs(found - bandwidth)
            if difference <= AGREEING_RATIO * bandwidth or difference * packet_bytes * 8 <= AGREEING_BPS:
                return LongTermBandwidth(event.t_s, (found + bandwidth) / 2)
        bandwidth, rounds = found, 0
        started = (event.t_s, event.delivered, event.lost)
    return None


def ack_events(flow: Flow, *, from_a: bool) -> list[AckEvent]:
    """Return what the acknowledgements told the sender of one direction. A loss counts when it is retransmitted."""
    sent = sent_by(flow, from_a=from_a)
    covered = (sent.payload > 0) & (sent.acked_row >= 0) & ~sent.lost  # a lost packet is delivered by its repair
    acked_rows = sent.acked_row[covered]
    ack_rows = np.unique(acked_rows)
    if not len(ack_rows):
        return []
    delivered = np.searchsorted(np.sort(acked_rows), ack_rows, side="right")
    repairs = sent.row[sent.is_retransmission]
    lost = np.searchsorted(repairs, ack_rows, side="right")  # repaired up to this acknowledgement
    lost = np.append(lost[1:], len(repairs))  # an acknowledgement marks what is repaired before the next one
    delivered_when_sent = np.searchsorted(np.sort(acked_rows), sent.row, side="right")
    events: list[AckEvent] = []
    round_ends_at = 0
    newest_sent = np.zeros(len(flow), np.int64)
    np.maximum.at(newest_sent, sent.acked_row[covered], delivered_when_sent[covered])
    before = 0
    for row, total, marked in zip(ack_rows.tolist(), delivered.tolist(), lost.tolist(), strict=True):
        starts = bool(newest_sent[row] >= round_ends_at)
        if starts:
            round_ends_at = total
        events.append(AckEvent(float(flow.t_ns[row]) / 1e9, total, marked, marked - before, starts))
        before = marked
    return events


@dataclass(frozen=True)
class BbrDetector:
    """Replay the rule over each target's sender. It needs about 20 % loss, which Cubic seldom keeps up."""

    name: str = "bbr-lt"
    summary: str = "BBRv1's long-term bandwidth rule (Linux tcp_bbr.c)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge)

    def _judge(self, transfer: Transfer) -> Verdict:
        flow = transfer.sender_flow
        if flow is None:
            return inconclusive(self.name, "the rule needs packets captured at the data's sender")
        from_a = bool(flow.payload[flow.from_a].sum() * 2 > flow.payload.sum())
        events = ack_events(flow, from_a=from_a)
        if len(events) < _MIN_ACKS:
            return inconclusive(self.name, f"{len(events)} acknowledgements of data; at least {_MIN_ACKS} needed")
        sizes = flow.payload[(flow.from_a == from_a) & (flow.payload > 0)]
        packet_bytes = float(np.median(sizes))
        found = long_term_bandwidth(events, packet_bytes=packet_bytes)
        share = events[-1].lost / max(events[-1].delivered, 1)
        if found is None:
            why = f"no two intervals with at least 20 % loss delivered alike (loss overall {share:.1%})"
            return Verdict(detector=self.name, outcome=Outcome.NOT_THROTTLED, why=why, score=0.0)
        rate_bps = found.packets_per_s * packet_bytes * 8
        onset_s = found.t_s - float(flow.t_ns[0]) / 1e9
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED,
            why=f"two intervals in a row with at least 20 % loss delivered {rate_bps / 1e3:.0f} kbit/s",
            score=share,
            rate_bps=rate_bps,
            mechanism=Mechanism.POLICING,
            onset_s=max(0.0, onset_s),
        )
