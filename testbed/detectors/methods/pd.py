"""PD: tell from a sender's packets whether a token bucket policed them.

Source: Flach et al., "An Internet-Wide Analysis of Traffic Policing", SIGCOMM 2016, §3; result codes and borderline
cases as in the released analysis (repository USC-NSL/policing-detection at 95dcfbd), whose published table this
reproduces.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture import ACK, NEVER, Flow, Sent, sent_by
from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation, Transfer
    from testbed.detectors.verdict import JsonValue


__all__ = ["CUTOFFS", "Code", "PdDetector", "PolicingResult", "SegmentRow", "judge", "segment_rows", "segments"]

CUTOFFS: Final = (0, 2)  # losses ignored at either end: the analysis is run with both
MIN_SAMPLES: Final = 15  # lost and passed packets that are needed
MIN_SLICES: Final = 3  # losses more than a median RTT apart
LATE_LOSS_BYTES: Final = 2_000_000
LOSS_FILL_RTTS: Final = 2.00  # tolerance around an empty bucket, in median RTTs of tokens
PASS_FILL_RTTS: Final = 0.75
LOSS_OUT_OF_RANGE: Final = 0.10
PASS_OUT_OF_RANGE: Final = 0.03
INFLATED_PERCENTILE: Final = 10
INFLATED_FACTOR: Final = 1.3
INFLATED_MIN_MS: Final = 20
INFLATED_TOLERANCE: Final = 0.2
_SEQUENCE_SPACE: Final = 1 << 32


class Code(IntEnum):
    """Why a segment is, or is not, called policed."""

    POLICED = 0
    TOO_FEW_LOSSES = 1
    LATE_LOSS = 2
    NEGATIVE_FILL = 3
    FULLER_ON_LOSS = 4
    LOSS_FILL_OUT_OF_RANGE = 5
    PASS_FILL_OUT_OF_RANGE = 6
    INFLATED_RTT = 7


_REASONS: Final = {
    Code.POLICED: "losses come exactly when a token bucket would be empty",
    Code.TOO_FEW_LOSSES: "too few losses, or all within one round trip, to judge",
    Code.LATE_LOSS: "the first loss comes after more than 2 MB",
    Code.NEGATIVE_FILL: "the bucket would have had to be below empty at the start",
    Code.FULLER_ON_LOSS: "the bucket would have been fuller at losses than at passes",
    Code.LOSS_FILL_OUT_OF_RANGE: "the bucket would not have been empty at many losses",
    Code.PASS_FILL_OUT_OF_RANGE: "packets passed while the bucket would have been empty",
    Code.INFLATED_RTT: "round-trip times rose before losses, as a filling queue makes them",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One request and its answer, as sent by one endpoint.

    Attributes:
        sent: All wire packets of the endpoint in the whole flow.
        rows: Which of them belong to the segment, int64, shape (n,).
        first_seq: Sequence number that counts as 0; the first byte of the segment is 1.
        number: Position of the segment in its flow, from 0.
        from_a: Whether the endpoint is the one that sent the flow's first packet.
        acked_t_ns: Time of each wire packet's acknowledgement, 0 where there is none, int64, shape of ``sent``.
    """

    sent: Sent
    rows: NDArray[np.int64]
    first_seq: int
    number: int
    from_a: bool
    acked_t_ns: NDArray[np.int64]

    @property
    def data_packets(self) -> int:
        """Wire packets with payload, retransmissions included."""
        return int((self.sent.payload[self.rows] > 0).sum())

    @property
    def losses(self) -> int:
        """Wire packets taken for lost."""
        return int(self.sent.lost[self.rows].sum())


@dataclass(frozen=True, slots=True)
class PolicingResult:
    """PD's answer for one segment and cutoff; rate (bits a second) and burst (bytes) only for code 0."""

    code: Code
    rate_bps: float | None = None
    burst_bytes: int | None = None

    @property
    def policed(self) -> bool:
        """Whether every test was passed."""
        return self.code is Code.POLICED

    def __str__(self) -> str:
        if self.rate_bps is None:
            return f"[code {self.code:d}, null, null]"
        return f"[code {self.code:d}, {int(self.rate_bps)} bps, {self.burst_bytes} bytes burst]"


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One row of the published table: a segment, and its results in the order of `CUTOFFS`."""

    flow: int
    segment: int
    direction: str
    packets: int
    losses: int
    results: tuple[PolicingResult, ...]


def segments(flow: Flow) -> Iterator[Segment]:
    """Yield a flow's segments, each for the endpoint that sent more data packets in it.

    A segment begins where the endpoint that sent the flow's first packet sends data after the other one did. Packets
    before the first data packet belong to none.
    """
    sides = {side: sent_by(flow, from_a=side) for side in (True, False)}
    acked = {side: _acked_times(flow, sent) for side, sent in sides.items()}
    data_rows = np.flatnonzero(flow.payload > 0)
    if not len(data_rows):
        return
    by_a = flow.from_a[data_rows]
    begins = data_rows[np.concatenate([[True], by_a[1:] & ~by_a[:-1]])]
    ends = np.concatenate([begins[1:], [len(flow)]])
    # Both ends send in every segment. Who sent more packets sent the answer; the other's are the request.
    for number, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        opening = 0 if number == 0 else begin
        both = []
        for side, sent in sides.items():
            rows = np.arange(np.searchsorted(sent.row, begin), np.searchsorted(sent.row, end))
            first_seq = _first_seq(flow, sent, rows, opening, from_a=side)
            both.append(Segment(sent, rows, first_seq, number, side, acked[side]))
        yield max(both, key=lambda segment: segment.data_packets)


def _acked_times(flow: Flow, sent: Sent) -> NDArray[np.int64]:
    return np.where(sent.acked_row == NEVER, 0, flow.t_ns[sent.acked_row])


def _first_seq(flow: Flow, sent: Sent, rows: NDArray[np.int64], opening: int, *, from_a: bool) -> int:
    """Return the number before the endpoint's first one, as the packet that opens the segment tells it."""
    if from_a == bool(flow.from_a[opening]):
        return int(flow.seq[opening]) - 1
    if flow.flags[opening] & ACK:
        return int(flow.ack[opening]) - 1
    return int(sent.seq[rows[0]]) - 1 if len(rows) else 0


def judge(segment: Segment, *, cutoff: int) -> PolicingResult:
    """Run PD on one segment.

    The tests come in the order of the released analysis: the first that fails gives the code, and the published table
    has those codes.

    Args:
        segment: From `segments`, of a flow captured at the data's sender.
        cutoff: Losses to ignore at the beginning and at the end.
    """
    sent, rows = segment.sent, segment.rows
    t_us = _microseconds(sent.t_ns[rows])
    payload = sent.payload[rows]
    lost = sent.lost[rows]
    where_lost = np.flatnonzero(lost)
    if len(where_lost) < 2 * cutoff + 2:
        return PolicingResult(Code.TOO_FEW_LOSSES)
    first, last = int(where_lost[cutoff]), int(where_lost[-1 - cutoff])
    if _relative(segment, first) > LATE_LOSS_BYTES:
        return PolicingResult(Code.LATE_LOSS)

    rate_bps = _goodput(t_us, payload, lost, first, last)
    delay_ms, usable = _ack_delays(segment, t_us)
    median_rtt_us = float(np.median(delay_ms[usable])) * 1000 if usable.any() else float("nan")
    loss_tolerance = LOSS_FILL_RTTS * median_rtt_us * rate_bps / 8e6
    pass_tolerance = PASS_FILL_RTTS * median_rtt_us * rate_bps / 8e6
    fill_at_start = _relative(segment, first) - rate_bps * float(t_us[first] - t_us[0]) / 8e6
    if fill_at_start < -pass_tolerance:
        return PolicingResult(Code.NEGATIVE_FILL)

    # the bucket from the first loss on: filled at the rate, charged for what passed, empty at first
    after_t_us, after_lost = t_us[first:], lost[first:]
    passed_bytes = np.where(after_lost, 0, payload[first:])
    used = np.cumsum(passed_bytes) - passed_bytes
    tokens = rate_bps * (after_t_us - after_t_us[0]).astype(np.float64) / 1e6 / 8 - used
    slices = _slices(after_t_us[after_lost].tolist(), median_rtt_us)
    on_loss, on_pass = tokens[after_lost], tokens[~after_lost]
    code = _judge_tokens(on_loss, on_pass, slices=slices, tolerances=(loss_tolerance, pass_tolerance))
    if code is not Code.POLICED:
        return PolicingResult(code)
    if _inflated(segment, delay_ms, usable, where_lost[where_lost >= first]) > INFLATED_TOLERANCE * len(on_loss):
        return PolicingResult(Code.INFLATED_RTT)
    return PolicingResult(Code.POLICED, rate_bps, int(payload[: where_lost[0]].sum()))


def _judge_tokens(
    on_loss: NDArray[np.float64], on_pass: NDArray[np.float64], *, slices: int, tolerances: tuple[float, float]
) -> Code:
    """Judge what the bucket held when packets were lost, and when they passed.

    Args:
        on_loss: Bytes at each loss, shape (losses,).
        on_pass: Bytes at each pass, shape (passes,).
        slices: Times at which losses fell, more than a median round trip apart.
        tolerances: Bytes around an empty bucket, at losses and at passes; NaN where no round trip is known, and then
            nothing is out of range.
    """
    loss_tolerance, pass_tolerance = tolerances
    if slices < MIN_SLICES or min(len(on_loss), len(on_pass)) < MIN_SAMPLES:
        return Code.TOO_FEW_LOSSES
    if on_loss.mean() >= on_pass.mean() or np.median(on_loss) >= np.median(on_pass):
        return Code.FULLER_ON_LOSS
    empty = np.median(on_loss)  # time stamps are imprecise: the median loss is taken for an empty bucket
    if (np.abs(on_loss - empty) > loss_tolerance).sum() > len(on_loss) * LOSS_OUT_OF_RANGE:
        return Code.LOSS_FILL_OUT_OF_RANGE
    if (on_pass - empty < -pass_tolerance).sum() > len(on_pass) * PASS_OUT_OF_RANGE:
        return Code.PASS_FILL_OUT_OF_RANGE
    return Code.POLICED


def _relative(segment: Segment, place: int) -> int:
    return (int(segment.sent.seq[segment.rows[place]]) - segment.first_seq) % _SEQUENCE_SPACE


def _microseconds(t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Convert as the released analysis does, by way of a float of seconds: some times lose a microsecond."""
    seconds, rest_ns = np.divmod(t_ns, 10**9)
    as_float: NDArray[np.float64] = seconds.astype(np.float64) + (rest_ns // 1000).astype(np.float64) / 1e6
    return (as_float * 1e6).astype(np.int64)


def _goodput(
    t_us: NDArray[np.int64], payload: NDArray[np.int64], lost: NDArray[np.bool_], first: int, last: int
) -> float:
    elapsed_us = int(t_us[last] - t_us[first])
    if elapsed_us == 0:
        return 0.0
    return int(payload[first:last][~lost[first:last]].sum()) * 8 * 1e6 / elapsed_us


def _ack_delays(segment: Segment, t_us: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each packet's delay until its acknowledgement in whole milliseconds, and which are round-trip samples."""
    sent, rows = segment.sent, segment.rows
    delay_ms = (_microseconds(segment.acked_t_ns[rows]) - t_us) // 1000
    usable = (sent.acked_row[rows] != NEVER) & ~sent.retransmitted[rows] & (delay_ms != -1)
    return delay_ms, usable


def _slices(lost_t_us: list[int], median_rtt_us: float) -> int:
    count = 1
    end = lost_t_us[0] + median_rtt_us
    for t_us in lost_t_us:
        if t_us > end:
            end = t_us + median_rtt_us
            count += 1
    return count


def _inflated(
    segment: Segment, delay_ms: NDArray[np.int64], usable: NDArray[np.bool_], where_lost: NDArray[np.int64]
) -> int:
    """Count the losses before which the second latest round-trip time had risen."""
    sent, rows = segment.sent, segment.rows
    pending_until = np.maximum.accumulate(np.where(sent.retransmitted[rows], sent.acked_row[rows], NEVER))
    in_order = usable & (sent.row[rows] > pending_until)  # packets behind a loss are acknowledged late
    sample_places = np.flatnonzero(in_order)
    samples = delay_ms[sample_places].tolist()
    known = np.searchsorted(sample_places, where_lost, side="right").tolist()
    ordered: list[int] = []
    count = 0
    for size in known:
        for sample in samples[len(ordered) : size]:
            insort(ordered, sample)
        if size > 1:  # as released: not the latest sample before the loss, but the one before it
            latest = samples[size - 2]
            count += (
                latest >= INFLATED_MIN_MS
                and latest >= _percentile(ordered, 50)
                and latest > INFLATED_FACTOR * _percentile(ordered, INFLATED_PERCENTILE)
            )
    return count


def _percentile(ordered: list[int], percent: int) -> float:
    """Interpolate linearly between order statistics, as ``numpy.percentile`` does."""
    whole, hundredths = divmod((len(ordered) - 1) * percent, 100)
    low, high = ordered[whole], ordered[min(whole + 1, len(ordered) - 1)]
    return low + (high - low) * (hundredths / 100)


def segment_rows(flows: tuple[Flow, ...]) -> list[SegmentRow]:
    """Return PD's table for the flows of one capture.

    Flows in which both endpoints sent data are numbered first, from 0, in the order of their first packet, then the
    others. Flows without data have no rows.
    """
    ranked = sorted(flows, key=lambda flow: not _is_conversation(flow))
    return [
        SegmentRow(
            flow=number,
            segment=segment.number,
            direction="a2b" if segment.from_a else "b2a",
            packets=segment.data_packets,
            losses=segment.losses,
            results=tuple(judge(segment, cutoff=cutoff) for cutoff in CUTOFFS),
        )
        for number, flow in enumerate(ranked)
        for segment in segments(flow)
    ]


def _is_conversation(flow: Flow) -> bool:
    data = flow.payload > 0
    return bool((data & flow.from_a).any() and (data & ~flow.from_a).any())


@dataclass(frozen=True)
class PdDetector:
    """PD: "either run positive" over the segments of each transfer's flow at its sender."""

    name: str = "pd"
    summary: str = "policing from a sender's packets (Flach et al., SIGCOMM 2016)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge)

    def _judge(self, transfer: Transfer) -> Verdict:
        if transfer.sender_flow is None:
            why = "PD needs packets captured at the data's sender; this transfer has none"
            return inconclusive(self.name, why)
        rows = segment_rows((transfer.sender_flow,))
        results = [(row, result) for row in rows for result in row.results]
        policed = [(row, result) for row, result in results if result.policed]
        details: dict[str, JsonValue] = {"codes": [[int(result.code) for result in row.results] for row in rows]}
        if policed:
            row, result = policed[0]
            why = f"segment {row.segment} ({row.losses} losses in {row.packets} packets): {_REASONS[result.code]}"
            return Verdict(
                detector=self.name,
                outcome=Outcome.THROTTLED,
                why=why,
                score=len({row.segment for row, _ in policed}) / len(rows),
                rate_bps=result.rate_bps,
                burst_bytes=result.burst_bytes,
                mechanism=Mechanism.POLICING,
                details=details,
            )
        # Too few losses is no answer; but where not one packet of many was lost, no policer was at work.
        told = [result for _, result in results if result.code not in (Code.TOO_FEW_LOSSES, Code.LATE_LOSS)]
        if not told and not any(row.losses for row in rows) and sum(row.packets for row in rows) >= MIN_SAMPLES:
            return self._not("not one packet was lost", None, details)
        if not told:
            code = results[0][1].code if results else Code.TOO_FEW_LOSSES
            return inconclusive(self.name, f"no segment can be judged: {_REASONS[code]}", details=details)
        inflated = any(result.code is Code.INFLATED_RTT for result in told)
        return self._not(_REASONS[told[0].code], Mechanism.CONGESTION if inflated else None, details)

    def _not(self, why: str, mechanism: Mechanism | None, details: dict[str, JsonValue]) -> Verdict:
        return Verdict(
            detector=self.name,
            outcome=Outcome.NOT_THROTTLED,
            why=why,
            score=0.0,
            mechanism=mechanism,
            details=details,
        )
