"""Transfers from captures taken at either end, or at both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture import ACK, FIN, NEVER, RST, SYN, Flow, read_capture, sent_by
from testbed.detectors.observation import Direction, Ending, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["transfer_from_flow", "transfers_from_captures"]

_NS: Final = 1e9
PROMPT_NS: Final = 1_000_000
PROMPT_PERCENTILE: Final = 10
COPIED_SHARE: Final = 0.3


def transfers_from_captures(paths: Iterable[Path]) -> tuple[list[Transfer], list[str]]:
    """Return a transfer for each TCP connection with data, and remarks on what was left out.

    A connection that two captures hold (one at its sender, one at its receiver) becomes one transfer with both flows.
    Times count from the first packet of all; the clocks of the captures are taken to agree.

    Raises:
        CaptureError: See `testbed.capture.read_capture`.
    """
    found: list[tuple[str, Flow]] = []
    remarks: list[str] = []
    for path in paths:
        capture = read_capture(path)
        remarks += [f"{path.name}: {remark}" for remark in capture.notes.remarks]
        remarks += [f"{path.name}: {count} records left out: {why}" for why, count in capture.notes.skipped.items()]
        with_data = [flow for flow in capture.flows if flow.payload.any()]
        if len(with_data) < len(capture.flows):
            remarks.append(f"{path.name}: {len(capture.flows) - len(with_data)} connections without data left out")
        for number, flow in enumerate(with_data):
            single = _without_copies(flow)
            if len(single) < len(flow):
                remarks.append(f"{path.name}#{number}: {len(flow) - len(single)} packets captured twice left out")
            found.append((f"{path.name}#{number}", single))
    if not found:
        return [], remarks
    origin_ns = min(int(flow.t_ns.min()) for _, flow in found)
    merged: dict[object, Transfer] = {}
    for name, flow in found:
        transfer = transfer_from_flow(flow, name=name, origin_ns=origin_ns)
        key = _connection_key(flow) or name
        merged[key] = _merge(merged[key], transfer) if key in merged else transfer
        if (np.diff(flow.t_ns) < 0).any():
            remarks.append(f"{name}: the capture's clock jumps back; times are held until it has caught up")
    return list(merged.values()), remarks


def transfer_from_flow(flow: Flow, *, name: str, origin_ns: int) -> Transfer:
    """Describe one captured connection.

    Args:
        flow: A flow with data.
        name: Becomes the transfer's id.
        origin_ns: Start of the observation, nanoseconds since 1970.
    """
    by_a = int(flow.payload[flow.from_a].sum())
    sender_is_a = by_a * 2 > int(flow.payload.sum())
    direction = Direction.UP if sender_is_a == flow.a_is_client else Direction.DOWN
    t_s = np.maximum.accumulate((flow.t_ns - flow.t_ns[0]) / _NS)
    rows, arrived = _delivered(flow, sender_is_a=sender_is_a)
    at_sender = _tapped_at_sender(flow, sender_is_a=sender_is_a)
    return Transfer(
        id=name,
        direction=direction,
        server_name=flow.server_name,
        times_s=t_s[rows],
        bytes=arrived,
        started_s=max(0.0, (int(flow.t_ns[0]) - origin_ns) / _NS),
        connect_s=_connect_time(flow, t_s),
        ended_s=float(t_s[-1]),
        ending=_ending(flow, sender_is_a=sender_is_a),
        sender_flow=flow if at_sender else None,
        receiver_flow=None if at_sender else flow,
        labels={"client": ":".join(map(str, flow.a if flow.a_is_client else flow.b))},
    )


def _without_copies(flow: Flow) -> Flow:
    """Drop packets that a capture holds twice, as one of a mirrored port or of two interfaces does.

    A copy has the same numbers and IP identification as the packet before it in its direction, and follows it within a
    millisecond; no retransmission does. Copies are only dropped where they are many.
    """
    copies = np.zeros(len(flow), np.bool_)
    for side in (True, False):
        rows = np.flatnonzero(flow.from_a == side)
        same = np.ones(max(len(rows) - 1, 0), np.bool_)
        for column in (flow.seq, flow.ack, flow.payload, flow.flags, flow.ip_id, flow.sack_count):
            same &= column[rows[1:]] == column[rows[:-1]]
        near = np.abs(flow.t_ns[rows[1:]] - flow.t_ns[rows[:-1]]) < PROMPT_NS
        copies[rows[1:]] = same & near
    if copies.sum() < COPIED_SHARE * len(flow):
        return flow
    return flow.take(np.flatnonzero(~copies))


def _delivered(flow: Flow, *, sender_is_a: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows at which data were delivered in order, and the bytes by then, as acknowledgements tell.

    Without acknowledgements (one direction captured), the highest byte sent so far stands for it.
    """
    data = np.flatnonzero((flow.from_a == sender_is_a) & (flow.payload > 0))
    end = flow.seq[data] + flow.payload[data]
    first, last = int(flow.seq[data[0]]), int(end.max())
    rows = np.flatnonzero((flow.from_a != sender_is_a) & ((flow.flags & ACK) != 0))
    reached = flow.ack[rows]
    if not len(rows) or reached.max() <= first:
        rows, reached = data, end
    arrived = np.clip(np.maximum.accumulate(reached), first, last) - first
    grown = np.diff(arrived, prepend=0) > 0
    return rows[grown], arrived[grown]


def _tapped_at_sender(flow: Flow, *, sender_is_a: bool) -> bool:
    """Tell where the capture was taken; where the packets do not tell, the sender's end is assumed.

    The handshake tells best: at the client the SYN-ACK comes a round trip after the SYN, at the server at once.
    Otherwise data packets tell: at their receiver, some are answered within a millisecond.
    """
    syn = np.flatnonzero((flow.flags & SYN) != 0)
    if len(syn) > 1 and bool(flow.from_a[syn[-1]]) != bool(flow.from_a[syn[0]]):
        answer = int(syn[np.flatnonzero(flow.from_a[syn] != flow.from_a[syn[0]])[0]])
        opening = int(syn[np.flatnonzero(syn < answer)[-1]]) if (syn < answer).any() else answer
        third = np.flatnonzero((flow.from_a == flow.from_a[opening]) & (np.arange(len(flow)) > answer))
        if len(third) and opening != answer:
            waited = flow.t_ns[answer] - flow.t_ns[opening]
            at_client = bool(waited > flow.t_ns[third[0]] - flow.t_ns[answer])
            return at_client == (bool(flow.from_a[opening]) == sender_is_a)
    sent = sent_by(flow, from_a=sender_is_a)
    answered = sent.acked_row != NEVER
    if not answered.any():
        return True
    waited_ns = flow.t_ns[sent.acked_row[answered]] - sent.t_ns[answered]
    return bool(np.percentile(waited_ns, PROMPT_PERCENTILE) >= PROMPT_NS)


def _connect_time(flow: Flow, t_s: NDArray[np.float64]) -> float | None:
    syn = np.flatnonzero((flow.flags & SYN) != 0)
    if not len(syn) or flow.flags[syn[0]] & ACK:
        return None
    answers = (flow.from_a == flow.from_a[syn[0]]) & ((flow.flags & (ACK | SYN)) == ACK)
    third = np.flatnonzero(answers & (np.arange(len(flow)) > syn[0]))
    return float(t_s[third[0]] - t_s[syn[0]]) if len(third) else None


def _ending(flow: Flow, *, sender_is_a: bool) -> Ending:
    closed = np.flatnonzero(((flow.flags & FIN) != 0) & (flow.from_a == sender_is_a))
    reset = np.flatnonzero((flow.flags & RST) != 0)
    if len(closed):
        return Ending.COMPLETE
    return Ending.RESET if len(reset) else Ending.UNKNOWN


def _connection_key(flow: Flow) -> tuple[int, ...] | None:
    """Name a connection by its initial sequence numbers, which address translation leaves alone."""
    syn = np.flatnonzero((flow.flags & SYN) != 0)
    if not len(syn) or flow.flags[syn[0]] & ACK:
        return None
    answers = syn[(flow.flags[syn] & ACK) != 0]
    if not len(answers):
        return None
    return int(flow.seq[syn[0]]) % 2**32, int(flow.seq[answers[0]]) % 2**32


def _merge(first: Transfer, second: Transfer) -> Transfer:
    """Join the two views of one connection; the receiver's timeline is kept."""
    if (first.sender_flow is None) == (second.sender_flow is None):
        return first  # the same view twice, as in a duplicated file
    sender, receiver = (first, second) if first.sender_flow is not None else (second, first)
    client = first if first.connect_s is not None and (second.connect_s or 0) <= first.connect_s else second
    return replace(receiver, sender_flow=sender.sender_flow, connect_s=client.connect_s)
