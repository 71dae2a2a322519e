"""The fate of each packet: lost or delivered, and how long it took, from one capture or from both ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.rtt import data_side, rtt_by_packet, sent_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from testbed.capture import Flow
    from testbed.detectors.observation import Transfer

__all__ = ["Drain", "Fates", "drain", "fates"]

HEADER_BYTES: Final = 52  # IPv4 and TCP with timestamps: what a meter of IP lengths counts beside payload
_BLOCK: Final = 8  # packets over which a drain's rate is taken: acknowledgements come for every second one
_LEAST_BLOCKS: Final = 4
_LEAST_MATCHED: Final = 0.3  # of the sender's packets; with fewer, the captures hold different things


@dataclass(frozen=True, slots=True)
class Fates:
    """Data packets of one direction, as their sender sent them; arrays of shape (n,).

    Attributes:
        times_s: Times of sending, seconds since the transfer began, float64.
        sizes: Wire bytes (IP), float64.
        lost: Whether each was lost, bool.
        delays_s: Delay that is comparable between packets (round trip, or one way up to a constant), NaN where unknown.
        paired: Whether both ends were captured, so that losses are seen and not inferred.
    """

    times_s: NDArray[np.float64]
    sizes: NDArray[np.float64]
    lost: NDArray[np.bool_]
    delays_s: NDArray[np.float64]
    paired: bool

    def __len__(self) -> int:
        return len(self.times_s)

    def later(self, seconds: float) -> Fates:
        """Return the same packets with times that count from so many seconds earlier."""
        return replace(self, times_s=self.times_s + seconds)

    @property
    def loss_share(self) -> float:
        """Lost packets over packets sent."""
        return float(self.lost.mean()) if len(self) else 0.0


def fates(transfer: Transfer) -> Fates | None:
    """Return the fate of a transfer's packets, or None without a capture at its sender.

    With captures at both ends, a packet is lost if the receiver's capture lacks it (told apart by IP identification and
    sequence number). With the sender's alone, losses are inferred from retransmissions and delays are round trips.
    """
    if transfer.sender_flow is None:
        return None
    if transfer.receiver_flow is not None:
        both = _paired(transfer.sender_flow, transfer.receiver_flow)
        if both is not None:
            return both
    return _inferred(transfer.sender_flow)


@dataclass(frozen=True, slots=True)
class Drain:
    """How fast a queue emptied while packets waited in it.

    Attributes:
        rate_bps: Median over blocks of packets, bits a second of wire bytes.
        spread: (90th - 10th percentile) / median: small where nobody else was served in between.
    """

    rate_bps: float
    spread: float


def drain(found: Fates, *, waited_s: float) -> Drain | None:
    """Measure the rate at which packets left that had waited for at least ``waited_s`` longer than the fastest.

    Between two of them in a row the server of the queue was never idle, so their distance is its service time. None
    with too few of them.
    """
    known = np.flatnonzero(np.isfinite(found.delays_s))
    if not len(known):
        return None
    arrivals = found.times_s[known] + found.delays_s[known]
    order = np.argsort(arrivals, kind="stable")  # a queue serves packets in the order in which they came out of it
    arrivals, sizes, delays = arrivals[order], found.sizes[known][order], found.delays_s[known][order]
    waited = delays - np.percentile(delays, 1) >= waited_s  # the fastest packets waited for nothing
    rates = []
    for run in np.split(np.arange(len(waited)), np.flatnonzero(np.diff(waited)) + 1):
        if waited[run[0]]:
            for begin in range(0, len(run) - _BLOCK, _BLOCK):
                block = run[begin : begin + _BLOCK + 1]
                elapsed_s = arrivals[block[-1]] - arrivals[block[0]]
                if elapsed_s > 0:
                    rates.append(sizes[block[1:]].sum() * 8 / elapsed_s)
    if len(rates) < _LEAST_BLOCKS:
        return None
    low, middle, high = np.percentile(rates, [10, 50, 90])
    return Drain(rate_bps=float(middle), spread=float((high - low) / middle))


def _inferred(flow: Flow) -> Fates:
    sent = sent_data(flow)
    data = sent.payload > 0
    return Fates(
        times_s=(sent.t_ns[data] - flow.t_ns[0]) / 1e9,
        sizes=(sent.payload[data] + HEADER_BYTES).astype(np.float64),
        lost=sent.lost[data],
        delays_s=rtt_by_packet(flow, sent)[data],
        paired=False,
    )


def _paired(sender: Flow, receiver: Flow) -> Fates | None:
    sent = np.flatnonzero((sender.from_a == data_side(sender)) & (sender.payload > 0))
    received = np.flatnonzero((receiver.from_a == data_side(receiver)) & (receiver.payload > 0))
    if not len(sent) or not len(received) or (sender.ip_id[sent] <= 0).all():
        return None
    # A packet is known by identification, number and length, and a retransmission by its identification alone. Where
    # packets are alike, the first that was sent is the first that arrived.
    arrived_ns: dict[tuple[int, int, int], list[int]] = {}
    last_first = received[::-1]
    for name, time_ns in zip(_names(receiver, last_first), receiver.t_ns[last_first].tolist(), strict=True):
        arrived_ns.setdefault(name, []).append(time_ns)
    delays = np.full(len(sent), np.nan)
    for place, (name, time_ns) in enumerate(zip(_names(sender, sent), sender.t_ns[sent].tolist(), strict=True)):
        times = arrived_ns.get(name)
        if times:
            delays[place] = (times.pop() - time_ns) / 1e9
    # So few in common may mean much loss; but if the receiver has packets that nobody sent, something between the taps
    # makes new ones (a proxy, a rewriting of identifications), and nothing can be told from what is missing.
    if np.isfinite(delays).mean() < _LEAST_MATCHED and np.isfinite(delays).sum() < len(received) / 2:
        return None
    return Fates(
        times_s=(sender.t_ns[sent] - sender.t_ns[0]) / 1e9,
        sizes=(sender.payload[sent] + HEADER_BYTES).astype(np.float64),
        lost=~np.isfinite(delays),
        delays_s=delays,
        paired=True,
    )


def _names(flow: Flow, rows: NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
    """Yield what each packet is known by; whole columns at once, for transfers have thousands."""
    columns = flow.ip_id[rows].tolist(), (flow.seq[rows] % 2**32).tolist(), flow.payload[rows].tolist()
    yield from zip(*columns, strict=True)
