"""Transfers from captures taken at either end, or at both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture import ACK, FIN, NEVER, RST, SYN, Flow, read_capture, sent_by
from testbed.detectors.observation import Direction, Ending, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["transfer_from_flow", "transfers_from_captures"]

_NS: Final = 1e9
PROMPT_NS: Final = 1_000_000  # a host answers within a millisecond; a network path is seldom that short
PROMPT_PERCENTILE: Final = 10  # of the answers: hosts delay many of them (RFC 1122 §4.2.3.2), but not all
COPIED_SHARE: Final = 0.3  # of packets; a mirrored port doubles them all, chance doubles a few
REORDERED: Final = 64  # packets among which the first segment is looked for where no SYN tells


def transfers_from_captures(
    paths: Mapping[Path, str], *, regular_only: bool = False
) -> tuple[list[Transfer], list[str]]:
    """Return a transfer for each TCP connection with data, and remarks on what was left out.

    A connection that two captures hold (one at its sender, one at its receiver) becomes one transfer with both flows:
    the capture with the earlier SYN is the client's. Times count from the first packet of all; the clocks of the
    captures are taken to agree.

    Args:
        paths: Of the captures, each with the name that stands for it in the transfers' ids.
        regular_only: See `testbed.records.byte_stream.opened`.

    Raises:
        CaptureError: See `testbed.capture.read_capture`.
    """
    remarks: list[str] = []
    views: dict[object, list[tuple[str, Flow]]] = {}
    for path, file in paths.items():
        for name, flow in _flows_with_data(path, file, remarks, regular_only=regular_only):
            views.setdefault(_connection_key(flow) or name, []).append((name, flow))
            if (np.diff(flow.t_ns) < 0).any():
                remarks.append(f"{name}: the capture's clock jumps back; times are held until it has caught up")
    # the least of all, not the first: a capture's clock may jump back
    starts = [int(flow.t_ns.min()) for found in views.values() for _, flow in found]
    return [_transfer_of(found, min(starts), remarks) for found in views.values()], remarks


def _flows_with_data(path: Path, file: str, remarks: list[str], *, regular_only: bool) -> Iterator[tuple[str, Flow]]:
    capture = read_capture(path, regular_only=regular_only)
    remarks += [f"{file}: {sentence}" for sentence in capture.notes.sentences()]
    with_data = [flow for flow in capture.flows if flow.payload.any()]
    if len(with_data) < len(capture.flows):
        remarks.append(f"{file}: {len(capture.flows) - len(with_data)} connections without data left out")
    for number, flow in enumerate(with_data):
        single = _without_copies(flow)
        if len(single) < len(flow):
            remarks.append(f"{file}#{number}: {len(flow) - len(single)} packets captured twice left out")
        yield f"{file}#{number}", single


def _transfer_of(views: list[tuple[str, Flow]], origin_ns: int, remarks: list[str]) -> Transfer:
    """Join the views of one connection: of the capture whose SYN is the earliest, and of that whose SYN is the last."""
    # The client's SYN passes every tap on its way to the server: the earliest is the client's, the last the server's.
    in_order = sorted(views, key=lambda view: _opened_ns(view[1]))
    (name, flow), (last_name, last) = in_order[0], in_order[-1]
    if len(views) > 1 and _opened_ns(flow) == _opened_ns(last):
        remarks.append(f"{last_name}: the same view of a connection as {name} left out")
    elif len(views) > 1:
        if between := in_order[1:-1]:
            remarks.append(f"{name}: {len(between)} views of the connection between its ends left out")
        client = transfer_from_flow(flow, name=name, origin_ns=origin_ns, at_client=True)
        server = transfer_from_flow(last, name=last_name, origin_ns=origin_ns, at_client=False)
        return _merge(client, server)
    return transfer_from_flow(flow, name=name, origin_ns=origin_ns)


def transfer_from_flow(flow: Flow, *, name: str, origin_ns: int, at_client: bool | None = None) -> Transfer:
    """Describe one captured connection.

    Args:
        flow: A flow with data.
        name: Becomes the transfer's id.
        origin_ns: Start of the observation, nanoseconds since 1970.
        at_client: Whether it was captured at the client; where None, the packets tell.
    """
    by_a = int(flow.payload[flow.from_a].sum())
    sender_is_a = by_a * 2 > int(flow.payload.sum())
    direction = Direction.UP if sender_is_a == flow.a_is_client else Direction.DOWN
    # a clock that jumps back is held until it has caught up: a timeline must not decrease
    t_s = np.maximum.accumulate((flow.t_ns - flow.t_ns[0]) / _NS)
    rows, arrived = _delivered(flow, sender_is_a=sender_is_a)
    if at_client is None:
        at_sender = _tapped_at_sender(flow, sender_is_a=sender_is_a)
    else:
        at_sender = at_client == (sender_is_a == flow.a_is_client)
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

    A copy has the same numbers, window, SACK blocks and IP identification as another packet of its direction, and
    follows it within a millisecond; no retransmission does. Copies are only dropped where they are many.
    """
    # One number stands for a packet's blocks: duplicate acknowledgements are alike in all but these.
    owner = np.repeat(np.arange(len(flow)), flow.sack_count)
    blocks = np.bincount(owner, flow.sack_start + flow.sack_end - 2 * flow.ack[owner], minlength=len(flow))
    columns = (
        flow.from_a, flow.seq, flow.ack, flow.payload, flow.flags, flow.ip_id, flow.window, flow.sack_count, blocks,
    )  # fmt: skip
    order = np.lexsort((flow.t_ns, *columns))
    same = np.ones(len(flow) - 1, np.bool_)
    for column in columns:
        same &= column[order[1:]] == column[order[:-1]]
    near = flow.t_ns[order[1:]] - flow.t_ns[order[:-1]] < PROMPT_NS
    copies = np.zeros(len(flow), np.bool_)
    copies[order[1:][same & near]] = True
    if copies.sum() < COPIED_SHARE * len(flow):
        return flow
    return flow.take(np.flatnonzero(~copies))


def _delivered(flow: Flow, *, sender_is_a: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows at which data were delivered in order, and the bytes by then, as acknowledgements tell.

    Without acknowledgements (one direction captured), the highest byte sent so far stands for it.
    """
    data = np.flatnonzero((flow.from_a == sender_is_a) & (flow.payload > 0))
    end = flow.seq[data] + flow.payload[data]
    first, last = _first_byte(flow, data), int(end.max())
    # What the receiver acknowledges it has, whatever was lost on the way; what was only sent may never arrive.
    rows = np.flatnonzero((flow.from_a != sender_is_a) & ((flow.flags & ACK) != 0))
    reached = flow.ack[rows]
    if not len(rows) or reached.max() <= first:
        rows, reached = data, end
    # a SYN and a FIN take a number, too, and an acknowledgement of either counts no byte
    arrived = np.clip(np.maximum.accumulate(reached), first, last) - first
    grown = np.diff(arrived, prepend=0) > 0
    return rows[grown], arrived[grown]


def _first_byte(flow: Flow, data: NDArray[np.int64]) -> int:
    """Return the sequence number at which the data at rows ``data`` begin, whichever segment was captured first."""
    syn = np.flatnonzero(((flow.flags & SYN) != 0) & (flow.from_a == flow.from_a[data[0]]))
    return int(flow.seq[syn[0]]) + 1 if len(syn) else int(flow.seq[data[:REORDERED]].min())


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
    # Without a handshake: at the receiver, acknowledgements follow the data at once; at the sender, after a round trip.
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
    if len(closed):  # a reset after the sender's FIN only says that the receiver did not wait for the end
        return Ending.COMPLETE
    return Ending.RESET if len(reset) else Ending.UNKNOWN


def _opened_ns(flow: Flow) -> int:
    syn = np.flatnonzero((flow.flags & SYN) != 0)
    return int(flow.t_ns[syn[0] if len(syn) else 0])


def _connection_key(flow: Flow) -> tuple[int, ...] | None:
    """Name a connection by its initial sequence numbers, which address translation leaves alone."""
    syn = np.flatnonzero((flow.flags & SYN) != 0)
    if not len(syn) or flow.flags[syn[0]] & ACK:
        return None
    answers = syn[(flow.flags[syn] & ACK) != 0]
    if not len(answers):
        return None
    return int(flow.seq[syn[0]]) % 2**32, int(flow.seq[answers[0]]) % 2**32


def _merge(client: Transfer, server: Transfer) -> Transfer:
    """Join the two views of one connection; the receiver's timeline is kept, and the client's handshake."""
    sender, receiver = (client, server) if client.sender_flow is not None else (server, client)
    return replace(receiver, sender_flow=sender.sender_flow, connect_s=client.connect_s)
