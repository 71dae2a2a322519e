"""Gates on the sender's tcp_info: was the network the limit at all, and does it look like a policer or like a queue?

Sources: field semantics of Linux ``struct tcp_info`` as ndt7 archives it; loss of policed and other segments from Flach
et al., SIGCOMM 2016 (more than 20 % against at most 4.1 % on average). The gates are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation, TcpInfo, Transfer

__all__ = ["Limits", "TcpInfoDetector", "limits"]

NETWORK_LIMITED: Final = 0.8  # of busy time, and busy of elapsed time
POLICED_LOSS: Final = 0.10  # between the 4.1 % and 20 % above
CLEAN_LOSS: Final = 0.01
FLAT_RTT: Final = 1.5
BLOATED_RTT: Final = 3.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares and ratios over a whole connection.

    Attributes:
        network: Share of busy time in which neither the receiver's nor the sender's buffer was the limit, or None.
        busy: Share of elapsed time with data outstanding, or None.
        loss: Retransmitted bytes over bytes sent.
        bloat: Median smoothed RTT over the least RTT.
    """

    network: float | None
    busy: float | None
    loss: float
    bloat: float


def limits(info: TcpInfo) -> Limits | None:
    """Compute the limits from the last sample (RTT: from all), or None if nothing was sent or no time passed."""
    if not len(info.times_s) or info.bytes_sent[-1] <= 0 or info.times_s[-1] <= 0:
        return None
    network = busy = None
    if info.busy_s is not None and info.busy_s[-1] > 0:
        waited = sum(float(column[-1]) for column in (info.rwnd_limited_s, info.sndbuf_limited_s) if column is not None)
        network = float(np.clip(1 - waited / info.busy_s[-1], 0, 1))
        busy = float(min(info.busy_s[-1] / info.times_s[-1], 1.0))
    # a kernel that has not measured yet says 0
    known = (info.rtt_s > 0) & (info.min_rtt_s > 0)
    if not known.any():
        return None
    return Limits(
        network=network,
        busy=busy,
        loss=float(info.bytes_retrans[-1] / info.bytes_sent[-1]),
        bloat=float(np.median(info.rtt_s[known]) / info.min_rtt_s[known].min()),
    )


@dataclass(frozen=True)
class TcpInfoDetector:
    """Gate, then tell a policer (much loss, flat RTT) from a queue (no loss, long RTT).

    A full queue may be a shaper's or the line's own: that stays inconclusive without a control.
    """

    name: str = "tcp-info"
    summary: str = "gates on the sender's tcp_info (after Flach et al. 2016; thresholds ours)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target; see `judge_each`."""
        return judge_each(self.name, observation, self._judge)

    def _judge(self, transfer: Transfer) -> Verdict:
        found = limits(transfer.tcp_info) if transfer.tcp_info is not None else None
        if found is None:
            return inconclusive(self.name, "no tcp_info samples of the data's sender")
        details = {"network": found.network, "busy": found.busy, "loss": found.loss, "bloat": found.bloat}
        # The gate comes first: where an end was the limit, neither loss nor RTT says anything about the path.
        if found.network is not None and found.busy is not None and min(found.network, found.busy) < NETWORK_LIMITED:
            return Verdict(
                detector=self.name,
                outcome=Outcome.NOT_THROTTLED,
                why=f"limited by its ends: network {found.network:.0%}, busy {found.busy:.0%} of the time",
                score=0.0,
                mechanism=Mechanism.APP_LIMITED,
                details=details,
            )
        seen = f"{found.loss:.1%} retransmitted, RTT {found.bloat:.1f} times its least"
        if found.loss >= POLICED_LOSS and found.bloat < FLAT_RTT:
            return Verdict(
                detector=self.name,
                outcome=Outcome.THROTTLED,
                why=f"policer: {seen}",
                score=found.loss,
                rate_bps=transfer.goodput_bps,
                mechanism=Mechanism.POLICING,
                details=details,
            )
        if found.loss <= CLEAN_LOSS and found.bloat >= BLOATED_RTT:
            return inconclusive(self.name, f"a filled queue, a shaper's or the line's own: {seen}", details=details)
        return Verdict(
            detector=self.name,
            outcome=Outcome.NOT_THROTTLED,
            why=f"no policer: {seen}",
            score=found.loss,
            details=details,
        )
