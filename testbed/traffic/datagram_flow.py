"""Background traffic over UDP: datagrams of one size, at equal distances or as they come.

Payload is bytes of the entry's own seed: no protocol that a box would read a name in.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

from testbed.traffic.background_flow import Arrivals
from testbed.traffic.hello import reproducible

if TYPE_CHECKING:
    from testbed.records.background import BackgroundPlan
    from testbed.traffic.background_flow import Ends
    from testbed.traffic.log import TransferLog

__all__ = ["HEADERS_BYTES", "LEAST_PACKET_BYTES", "DatagramFlow", "flow_of"]

HEADERS_BYTES = {4: 28, 6: 48}  # of IP and UDP, by IP version
_STAMP = struct.Struct("!IQ")  # which flow of the entry, and which of its packets
LEAST_PACKET_BYTES = {ip: size + _STAMP.size for ip, size in HEADERS_BYTES.items()}
_NS_PER_S = 1_000_000_000
_BITS = 8


class DatagramFlow:
    """Datagrams of one size, at equal distances or as a Poisson process.

    Args:
        plan: The entry.
        ends: Its hosts.
        logs: As of `StreamFlow`.
        number: Which of the entry's flows it is: each has arrivals of its own.
    """

    def __init__(self, plan: BackgroundPlan, ends: Ends, logs: tuple[TransferLog, TransferLog], *, number: int) -> None:
        self._log = logs[0]
        self._arrived = Arrivals(logs[1])
        self._random = reproducible((plan["seed"] << 32) + number)
        self._number = number
        self._size = plan["packet_bytes"] - HEADERS_BYTES[plan.get("ip", 4)]
        self._payload = reproducible(plan["seed"]).randbytes(self._size - _STAMP.size)
        self._is_poisson = plan["arrivals"] == "poisson"
        self._interval_ns = plan["packet_bytes"] * _BITS * _NS_PER_S / plan["rate_bps"]
        self._offered = self._sent = 0
        self._socket = ends.open(socket.SOCK_DGRAM, at_opener=True)
        remote = (ends.address(of_opener=False), plan["port"])
        self._socket.connect(remote)
        self._log.event("started", remote=list(remote))
        local = self._socket.getsockname()[:2]
        # Boxes know a flow by the subscriber's end of it, which is where datagrams go that come from outside.
        near, far = (local, remote) if plan["inside"] == plan["sender"] else (remote, local)
        self._log.event("connected", local=list(near), remote=list(far))
        self._began_ns = time.time_ns()
        self._at_ns = 0.0  # of the next packet, since it began
        self._stopped_s: float | None = None  # since the start of the run
        self._is_over = False
        self._step()

    @property
    def is_over(self) -> bool:
        """Whether its socket is closed."""
        return self._is_over

    def _step(self) -> None:
        # Constant arrivals are counted from the beginning: rounding must not add up.
        if self._is_poisson:
            self._at_ns += self._random.expovariate(1 / self._interval_ns)
        else:
            self._at_ns = self._offered * self._interval_ns

    def due_ns(self) -> int | None:
        """Return when the next datagram is due."""
        return None if self._stopped_s is not None else self._began_ns + round(self._at_ns)

    def act(self) -> None:
        """Send the datagram that is due."""
        try:
            self._socket.send(_STAMP.pack(self._number, self._offered) + self._payload)
            self._sent += self._size
        except OSError:
            pass  # the host's own queue is full, or a router says that nobody is there: lost like any other
        self._offered += 1
        self._step()

    def arrived(self, datagram: bytes) -> None:
        """Count a datagram that has come at the other end."""
        if not self._is_over:
            self._arrived.add(len(datagram))

    def stop(self) -> None:
        """Send no more; what is under way still counts."""
        self._stopped_s = self._stopped_s or self._log.now()

    def finish(self) -> None:
        """Count no more."""
        if self._is_over:
            return
        self.stop()
        self._is_over = True
        self._socket.close()
        self._arrived.close()
        offered = self._offered * self._size
        self._log.event("finished", ok=True, error=None, sent=self._sent, offered=offered, t_finished=self._stopped_s)


def flow_of(datagram: bytes) -> int | None:
    """Return which flow of its entry a datagram is of; None: it is none of ours."""
    return _STAMP.unpack_from(datagram)[0] if len(datagram) >= _STAMP.size else None
