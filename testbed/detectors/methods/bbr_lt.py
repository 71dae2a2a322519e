"""BBR's long-term bandwidth rule: two loss-ridden intervals in a row that deliver at the same rate mean a policer.

Source: Linux net/ipv4/tcp_bbr.c (BBRv1), constants ``bbr_lt_*``, its clock of milliseconds and its integers; replayed
over a sender's packets. Whether the sender was application-limited is inferred: data that follow a short segment, or
that are sent with nothing under way, had not been there before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture import sent_by
from testbed.detectors.tools.rtt import data_side
from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from testbed.capture import Flow, Sent
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["AckEvent", "BbrLtDetector", "LongTermBandwidth", "ack_events", "long_term_bandwidth"]

MIN_ROUNDS: Final = 4
MAX_ROUNDS: Final = 4 * MIN_ROUNDS
BBR_UNIT: Final = 256
LOSS_THRESHOLD: Final = 50  # of BBR_UNIT
AGREEING_RATIO: Final = BBR_UNIT // 8
AGREEING_BYTES_PER_S: Final = 4000 // 8
PACING_MARGIN_PERCENT: Final = 1
BW_UNIT: Final = 1 << 24
PROMPT_S: Final = 0.002  # ours: what follows an acknowledgement sooner waited for it
_US_PER_S: Final = 1_000_000
_US_PER_MS: Final = 1000
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
        app_limited: Whether the newest packet that it acknowledges was sent while the application had no more to send.
    """

    t_s: float
    delivered: int
    lost: int
    losses: int
    round_start: bool
    app_limited: bool = False


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
    rounds = bandwidth = 0
    started: tuple[int, int, int] = (0, 0, 0)
    for event in events:
        # The kernel compares delivered_mstamp in whole milliseconds: with an exact clock, other intervals would end.
        now_ms = int(event.t_s * _US_PER_S) // _US_PER_MS
        if not sampling:
            if not event.losses:
                continue
            sampling, rounds = True, 0
            started = (now_ms, event.delivered, event.lost)
        # While the application had nothing to send, what was delivered says nothing about the path: begin anew.
        if event.app_limited:
            sampling, bandwidth = False, 0
            continue
        rounds += event.round_start
        if rounds < MIN_ROUNDS:
            continue
        if rounds > MAX_ROUNDS:  # too long an interval: a policer would have dropped something by now
            sampling, bandwidth = False, 0
            continue
        delivered, lost, elapsed_ms = event.delivered - started[1], event.lost - started[2], now_ms - started[0]
        if not event.losses or delivered <= 0 or lost * BBR_UNIT < LOSS_THRESHOLD * delivered or elapsed_ms < 1:
            continue
        found = delivered * BW_UNIT // (elapsed_ms * _US_PER_MS)
        if bandwidth and _agree(found, bandwidth, packet_bytes):
            return LongTermBandwidth(event.t_s, (found + bandwidth) // 2 * _US_PER_S / BW_UNIT)
        # the first of two, or one that differs from the one before it: it is compared with the next
        bandwidth, rounds = found, 0
        started = (now_ms, event.delivered, event.lost)
    return None


def _agree(found: int, before: int, packet_bytes: float) -> bool:
    """Return whether two bandwidths, in packets a microsecond times `BW_UNIT`, are within an eighth or 4 kbit/s."""
    difference = abs(found - before)
    # as bbr_rate_bytes_per_sec() does it, margin of 1 % and truncation included
    paced = difference * int(packet_bytes) * (_US_PER_S // 100 * (100 - PACING_MARGIN_PERCENT)) // BW_UNIT
    return difference * BBR_UNIT <= AGREEING_RATIO * before or paced <= AGREEING_BYTES_PER_S


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
    newest_packet = np.full(len(flow), -1)
    np.maximum.at(newest_packet, sent.acked_row[covered], np.flatnonzero(covered))
    waited_s = np.diff(flow.t_ns, prepend=flow.t_ns[0])[sent.row] / 1e9
    limited = _app_limited(sent, delivered_when_sent, waited_s)
    before = 0
    for row, total, marked in zip(ack_rows.tolist(), delivered.tolist(), lost.tolist(), strict=True):
        starts = bool(newest_sent[row] >= round_ends_at)
        if starts:
            round_ends_at = total
        is_limited = bool(limited[newest_packet[row]])
        events.append(AckEvent(float(flow.t_ns[row]) / 1e9, total, marked, marked - before, starts, is_limited))
        before = marked
    return events


def _app_limited(sent: Sent, delivered: NDArray[np.int64], waited_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the packets that were sent while the application had no more to send, as ``tcp_rate.c`` does.

    New data that follow a segment shorter than the usual, or that are sent with nothing under way and at no
    acknowledgement's prompting, were written later; what is sent until all that was under way then has been delivered
    is application-limited.

    Args:
        sent: Of the data's sender, n packets.
        delivered: Packets delivered when each was sent, shape (n,).
        waited_s: Since the packet before each, in either direction, shape (n,).
    """
    full = int(np.median(sent.payload[sent.payload > 0]))
    is_new = (sent.payload > 0) & ~sent.is_retransmission
    under_way = np.cumsum(is_new) - is_new - delivered
    limited = np.zeros(len(sent), np.bool_)
    until, was_short = -1, False
    for place in range(len(sent)):
        if is_new[place]:
            is_idle = under_way[place] <= 0 and waited_s[place] > PROMPT_S
            if (was_short or is_idle) and place:
                until = max(until, int(delivered[place] + max(under_way[place], 0)))
            was_short = bool(sent.payload[place] < full)
        limited[place] = delivered[place] <= until
    return limited


@dataclass(frozen=True)
class BbrLtDetector:
    """Replay the rule over each target's sender. It needs about 20 % loss, which Cubic seldom keeps up."""

    name: str = "bbr-lt"
    summary: str = "BBRv1's long-term bandwidth rule (Linux tcp_bbr.c)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge, version="2")

    def _judge(self, transfer: Transfer) -> Verdict:
        flow = transfer.sender_flow
        if flow is None:
            return inconclusive(self.name, "the rule needs packets captured at the data's sender")
        from_a = data_side(flow)
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
