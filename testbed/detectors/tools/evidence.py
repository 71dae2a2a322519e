"""What can be told of one transfer: its losses, acknowledgements, delays, queue and limit. No judgement, no control.

The packets come from captures at both ends, from one at the data's sender, or from one at their receiver, whatever
there is; what the view does not show is None. Times are seconds, rates bits a second of payload unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import CLOCK_S
from testbed.detectors.tools.bucket_fit import BucketFit, bucket_depth, fit_bucket, queue_slope
from testbed.detectors.tools.coarse_refill import COARSE_AGREEMENT, fit_coarse_refill
from testbed.detectors.tools.delivery import Drain, Fates, drain, fates
from testbed.detectors.tools.receiver_fates import Received, receive
from testbed.detectors.tools.rtt import data_side, sent_data
from testbed.detectors.tools.samples import arrivals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.capture import Flow
    from testbed.detectors.observation import Transfer

__all__ = ["QUEUE_S", "Counted", "Evidence", "Limit", "View"]

MIN_PACKETS: Final = 8
CERTAIN: Final = 0.95  # a bucket filled continuously that explains so many packets needs no rival
QUEUE_S: Final = 0.005  # delays that rise by less show no queue: a few packets of a fast line
FULL_SHARE: Final = 0.5  # of the most that packets waited: a loss at so long a queue is one of a buffer that is full
WAITED_S: Final = 0.02  # so long a queue is drained without a pause
UNKNOWN_RTT_S: Final = 0.1
PARTS: Final = 8  # in which the second half of a transfer is looked at


class View(StrEnum):
    """Where a transfer was captured."""

    BOTH = "both ends"
    SENDER = "the sender"
    RECEIVER = "the receiver"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Counted:
    """So many events among so many packets."""

    events: int
    packets: int

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.events + other.events, self.packets + other.packets)

    @property
    def share(self) -> float:
        """Events a packet."""
        return self.events / self.packets if self.packets else 0.0


@dataclass(frozen=True, slots=True)
class Limit:
    """The rate that a transfer kept to in the second half of its bytes.

    Attributes:
        rate_bps: Of payload.
        spread: (90th - 10th percentile) / median of the speeds of eight equal parts of that time.
        depth_bytes: How far the transfer's arrivals ever ran ahead of that rate, in the second half.
    """

    rate_bps: float
    spread: float
    depth_bytes: float


@dataclass(frozen=True)
class Evidence:
    """One transfer and what its packets tell; each part is worked out when it is asked for."""

    transfer: Transfer

    @property
    def server(self) -> str | None:
        """The server's address, or None where nothing tells."""
        flow = self.transfer.receiver_flow or self.transfer.sender_flow
        if flow is not None:
            return flow.b[0] if flow.a_is_client else flow.a[0]
        return self.transfer.labels.get("server") or None

    @property
    def way_s(self) -> float | None:
        """What a round trip took before any name was said: the TCP handshake, or else (QUIC) the whole handshake."""
        opened_s = self.transfer.connect_s
        return opened_s if opened_s is not None and opened_s > QUEUE_S / PARTS else self.transfer.handshake_s

    @property
    def answered_s(self) -> float | None:
        """By how much the TLS handshake took longer than the TCP handshake: what came after the name was said."""
        opened_s, secured_s = self.transfer.connect_s, self.transfer.handshake_s
        return None if opened_s is None or secured_s is None else secured_s - opened_s

    @cached_property
    def _seen(self) -> tuple[View, Fates | None]:
        transfer = self.transfer
        found = fates(transfer)
        if found is not None and len(found) >= MIN_PACKETS:
            return (View.BOTH if found.paired else View.SENDER), found
        if transfer.sender_flow is None and self._received is not None and len(self._received.fates) >= MIN_PACKETS:
            return View.RECEIVER, self._received.fates
        return View.NOWHERE, None

    @cached_property
    def _received(self) -> Received | None:
        flow = self.transfer.receiver_flow
        return None if flow is None else receive(flow, rtt_s=self.way_s or UNKNOWN_RTT_S)

    @property
    def view(self) -> View:
        """Where its packets were captured."""
        return self._seen[0]

    @property
    def found(self) -> Fates | None:
        """The fate of its packets."""
        return self._seen[1]

    @cached_property
    def waited_s(self) -> NDArray[np.float64] | None:
        """How much longer than the fastest each packet took, NaN for lost ones; None where no delays show."""
        return None if self.found is None or self.least_delay_s is None else self.found.delays_s - self.least_delay_s

    @property
    def least_delay_s(self) -> float | None:
        """The delay of the fastest packets: the first percentile, for one wrong time stamp must not make all wait."""
        if self.found is None or not np.isfinite(self.found.delays_s).any():
            return None
        return float(np.nanpercentile(self.found.delays_s, 1))

    @property
    def queue_s(self) -> float:
        """The median of what packets waited; 0 where it is not known."""
        return 0.0 if self.waited_s is None else float(np.nanmedian(self.waited_s))

    @cached_property
    def losses(self) -> Counted:
        """Losses of which no full buffer is the cause; those within one round trip count as one.

        A congested queue, or a burst on a radio link, loses many packets at one instant: they are one event with one
        cause (as TCP itself counts them). A loss before which the packets had waited long is one of a full buffer.
        """
        if self.found is None:
            return Counted(0, 0)
        times_s = self.found.times_s[self.found.lost & ~self._at_full_buffer]
        return Counted(_rounds(times_s, self.way_s or UNKNOWN_RTT_S), len(self.found))

    @property
    def lost_share(self) -> float:
        """Share of all packets that were lost, for whatever cause."""
        return 0.0 if self.found is None else self.found.loss_share

    @property
    def congested(self) -> bool:
        """Whether its packets waited in a queue, or were lost where one was full."""
        return self.queue_s >= QUEUE_S or bool(
            self.found is not None and (self.found.lost & self._at_full_buffer).any()
        )

    @cached_property
    def _at_full_buffer(self) -> NDArray[np.bool_]:
        assert self.found is not None  # noqa: S101 - asked for where there are packets
        none = np.zeros(len(self.found), np.bool_)
        if self.waited_s is None:
            return none
        full_s = float(np.nanpercentile(self.waited_s, 99))
        if full_s < QUEUE_S:
            return none
        # What a lost packet would have waited is what the last one before it that was not lost did.
        known = np.isfinite(self.waited_s)
        last = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))
        before_s = np.where(last >= 0, self.waited_s[np.maximum(last, 0)], 0.0)
        return np.asarray(before_s >= FULL_SHARE * full_s, np.bool_)

    @cached_property
    def lost_acks(self) -> Counted:
        """Acknowledgements that the receiver sent and the sender never saw, counted as losses are.

        One end alone sees that data were sent again that had come (the sender by DSACK, RFC 2883): it was not heard of.
        """
        if self.view is View.RECEIVER and self._received is not None:
            return Counted(_rounds(self._received.repeated_s, self.way_s or UNKNOWN_RTT_S), len(self._received.fates))
        sender, receiver = self.transfer.sender_flow, self.transfer.receiver_flow
        if self.view is View.SENDER and sender is not None and self.found is not None:
            sent = sent_data(sender)
            repeated_s = (sent.t_ns[sent.spurious] - sender.t_ns[0]) / 1e9
            return Counted(_rounds(repeated_s, self.way_s or UNKNOWN_RTT_S), len(self.found))
        if self.view is not View.BOTH or sender is None or receiver is None:
            return Counted(0, 0)
        back = fates(replace(self.transfer, sender_flow=_acknowledging(receiver), receiver_flow=_acknowledging(sender)))
        if back is None or not back.paired:
            return Counted(0, 0)
        return Counted(_rounds(back.times_s[back.lost], self.way_s or UNKNOWN_RTT_S), len(back))

    @cached_property
    def fit(self) -> BucketFit | None:
        """The token bucket that explains its losses best. At the receiver alone, nobody knows what met the bucket."""
        if self.found is None or self.view is View.RECEIVER:
            return None
        fit = fit_bucket(self.found)
        if fit is not None and fit.agreement < CERTAIN:
            # A bucket filled in lumps has two parameters more. It is believed only where it explains more, and much.
            coarse = fit_coarse_refill(self.found)
            if coarse is not None and coarse.agreement >= max(COARSE_AGREEMENT, fit.agreement):
                fit = coarse
        return fit

    @cached_property
    def backlog_slope(self) -> float | None:
        """How much of the delay that a queue like the bucket would add is there: 0 for a policer, 1 for a queue."""
        return None if self.fit is None or self.found is None else queue_slope(self.found, self.fit)

    @cached_property
    def drained(self) -> Drain | None:
        """How fast its own queue emptied, in wire bytes."""
        return None if self.waited_s is None or self.found is None else drain(self.found, waited_s=WAITED_S)

    @cached_property
    def limit(self) -> Limit | None:
        """The rate that it kept to; None where too few bytes came."""
        times_s, sizes = arrivals(self.transfer)
        if len(times_s) < PARTS:
            return None
        start = int(np.searchsorted(self.transfer.bytes, self.transfer.total_bytes / 2))
        span_s = float(times_s[-1] - times_s[start])
        if span_s < CLOCK_S:
            return None
        late, late_sizes = times_s[start + 1 :], sizes[start + 1 :]
        place = np.minimum(((late - times_s[start]) / span_s * PARTS).astype(np.int64), PARTS - 1)
        speeds = np.bincount(place, weights=late_sizes, minlength=PARTS) * 8 / (span_s / PARTS)
        low, middle, high = np.percentile(speeds, [10, 50, 90])
        rate_bps = float(late_sizes.sum() * 8 / span_s)
        depth = bucket_depth(late, late_sizes.astype(np.float64), rate_bps=rate_bps)
        return Limit(rate_bps, float((high - low) / middle) if middle > 0 else np.inf, depth)

    def ahead_of(self, rate_bps: float) -> float:
        """Return how many bytes its arrivals ran ahead of a rate: what a bucket filled so fast would have to hold."""
        times_s, sizes = arrivals(self.transfer)
        return bucket_depth(times_s, sizes.astype(np.float64), rate_bps=rate_bps)


def _rounds(times_s: NDArray[np.float64], rtt_s: float) -> int:
    """Return how many events instants are, if those within a round trip of the first of an event belong to it."""
    count, until_s = 0, -np.inf
    for time_s in times_s.tolist():
        if time_s > until_s:
            count, until_s = count + 1, time_s + rtt_s
    return count


def _acknowledging(flow: Flow) -> Flow:
    """Return the packets without payload that went against the data, as if each carried a byte."""
    rows = np.flatnonzero((flow.from_a != data_side(flow)) & (flow.payload == 0))
    found = flow.take(rows)
    return replace(found, payload=np.ones(len(found), np.int64))
