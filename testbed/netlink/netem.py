"""What a netem discipline does, and how that is said to the kernel (net/sched/sch_netem.c, uapi/linux/pkt_sched.h).

Loss in bursts is the model of Gilbert and Elliott as netem has it: in the good state nothing is lost, in the bad state
everything. A packet that finds the state good may turn it bad; one that finds it bad is lost, and may turn it good. So
bursts have the mean length 1/r, and the share of packets that are lost is p/(p + r).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from testbed.netlink.socket import attribute, attributes, nested

__all__ = ["Netem"]

_OPTIONS = struct.Struct("=IIIIII")  # latency in ticks, limit, loss, gap, duplicate, jitter in ticks
_REORDER, _LOSS, _RATE, _LATENCY64, _JITTER64, _PRNG_SEED = 3, 5, 6, 10, 11, 14  # TCA_NETEM_*
_LOSS_GE = 2  # NETEM_LOSS_GE
_ORDERING_RATE = 1_250_000_000  # bytes per second
_CERTAIN = 0xFFFFFFFF  # of a probability


@dataclass(frozen=True, slots=True)
class Netem:
    """What a netem discipline does.

    Attributes:
        delay_ns: Of each packet.
        jitter_ns: The delay is drawn from [delay - jitter, delay + jitter]; packets overtake each other then.
        loss: Share of packets that are lost.
        limit: Packets that it holds, those on their way among them.
        burst: Mean number of packets that are lost in a row; 1: each is drawn by itself.
        duplicate: Share of packets that are sent twice.
        reorder: Share of packets that are sent at once, before those that were sent before them.
        seed: Of its draws; 0: the kernel chooses.
        keeps_order: A packet that is drawn to be early waits for those before it. The kernel does so where a discipline
            has a rate; ours is so high that nothing else is felt of it (1.2 µs for 1500 bytes).
    """

    delay_ns: int = 0
    jitter_ns: int = 0
    loss: float = 0.0
    limit: int = 1000
    burst: float = 1.0
    duplicate: float = 0.0
    reorder: float = 0.0
    seed: int = 0
    keeps_order: bool = False

    def options(self) -> bytes:
        """Return the options as the kernel takes them."""
        in_bursts = self.burst > 1 and 0 < self.loss < 1
        loss = 0 if in_bursts else _probability(self.loss)
        # A gap is what makes netem look at reordering: every packet may be the one that is sent at once.
        gap = 1 if self.reorder else 0
        data = _OPTIONS.pack(0, self.limit, loss, gap, _probability(self.duplicate), 0)
        data += attribute(_LATENCY64, struct.pack("=q", self.delay_ns))
        data += attribute(_JITTER64, struct.pack("=q", self.jitter_ns))
        if in_bursts:
            data += nested(_LOSS, attribute(_LOSS_GE, struct.pack("=IIII", *map(_probability, self._states()), 0, 0)))
        if self.reorder:
            data += attribute(_REORDER, struct.pack("=II", _probability(self.reorder), 0))
        if self.keeps_order:
            data += attribute(_RATE, struct.pack("=IiIi", _ORDERING_RATE, 0, 0, 0))
        if self.seed:
            data += attribute(_PRNG_SEED, struct.pack("=Q", self.seed))
        return data

    def _states(self) -> tuple[float, float]:
        """Return the probabilities p, of turning bad, and r, of turning good again."""
        to_good = 1 / self.burst
        return min(1.0, self.loss * to_good / (1 - self.loss)), to_good

    @classmethod
    def from_options(cls, data: bytes) -> Netem:
        """Read what the kernel says of a discipline."""
        _, limit, loss, _, duplicate, _ = _OPTIONS.unpack_from(data)
        values = attributes(data[_OPTIONS.size :])
        share, burst = loss / _CERTAIN, 1.0
        model = attributes(values.get(_LOSS, b"")).get(_LOSS_GE)
        if model is not None:
            to_bad, to_good = (each / _CERTAIN for each in struct.unpack_from("=II", model))
            share, burst = to_bad / (to_bad + to_good), 1 / to_good
        reorder = struct.unpack_from("=I", values[_REORDER])[0] / _CERTAIN if _REORDER in values else 0.0
        return cls(
            delay_ns=struct.unpack("=q", values[_LATENCY64])[0],
            jitter_ns=struct.unpack("=q", values[_JITTER64])[0],
            loss=share,
            limit=limit,
            burst=burst,
            duplicate=duplicate / _CERTAIN,
            reorder=reorder,
            keeps_order=struct.unpack_from("=I", values[_RATE])[0] == _ORDERING_RATE if _RATE in values else False,
            seed=struct.unpack("=Q", values[_PRNG_SEED])[0] if _PRNG_SEED in values else 0,
        )


def _probability(share: float) -> int:
    return round(share * _CERTAIN)
