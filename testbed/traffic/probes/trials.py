"""Conversations of a probe, one after the other, and the one question asked of each: was the download held back?

Held back is what takes more than twice as long as a control download (no server name), or does not arrive at all: a
factor of two, where throttling made a factor of five or more (Xue et al., IMC 2021, section 5). It is broken off then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.traffic.connection import TransferError
from testbed.traffic.conversation import Passage, Take
from testbed.traffic.evasion.names import NoName, Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.records.probes import Calibration
    from testbed.traffic.conversation import Talk
    from testbed.traffic.log import TransferLog
    from testbed.traffic.near_end import NearEnd

__all__ = ["REQUEST", "Trials", "in_packets"]

REQUEST = bytes.fromhex("1703030001") + b"\x00"  # a record of application data
_SLOWER = 2.0  # between a control, 1, and throttling, 5 or more
_AT_ONCE = 8  # below the first congestion window, or the kernel would put the next ones together


class Trials:
    """See the module.

    Args:
        near: The client.
        name: The server name that the censor is known to act on.
        size: Of each download, bytes; more than the burst that a box lets pass.
        timeout_s: Of each conversation.
        first_port: The client's ports count up from here.
        begin: Called with a conversation's number before it starts; returns its id and log.

    Attributes:
        count: Conversations held so far.
    """

    def __init__(
        self, near: NearEnd, *, name: str, size: int, timeout_s: float, first_port: int,
        begin: Callable[[int], tuple[str, TransferLog]],
    ) -> None:  # fmt: skip
        self.near = near
        self.name = name
        self.count = 0
        self._size = size
        self._timeout_s = timeout_s
        self._first_port = first_port
        self._begin = begin
        self._download_s: float | None = None

    def calibrate(self) -> Calibration:
        """Hold a control conversation and one with a plain hello, which every other one is compared with.

        Returns:
            Goodput of both, bit/s (None: failed), and whether the plain one was held back.

        Raises:
            TransferError: The control failed too, so that nothing can be told.
        """
        control_bps = self.goodput(NoName().passage(self.name))
        if control_bps is None:
            raise TransferError("the control download failed: without a working path there is nothing to compare with")
        plain_bps = self.goodput(Plain().passage(self.name))
        # From here on a conversation that is slower is broken off: a throttled one would take five times as long.
        self._download_s = _SLOWER * self._size * 8 / control_bps
        return {
            "control_bps": control_bps,
            "plain_bps": plain_bps,
            "plain_held_back": plain_bps is None or plain_bps * _SLOWER < control_bps,
        }

    def held_back(self, passage: Passage) -> bool:
        """Hold one conversation; whether its download was held back."""
        return self.goodput(passage) is None

    def goodput(self, passage: Passage) -> float | None:
        """Hold one conversation; the goodput of its download, bit/s, or None if it failed."""
        # A port of its own for each conversation: a box remembers flows by their ports, for minutes.
        port = self._first_port + self.count
        transfer, log = self._begin(self.count)
        self.count += 1
        error = goodput_bps = None
        try:
            goodput_bps = self.near.hold(
                passage, transfer=transfer, port=port, size=self._size, timeout_s=self._timeout_s, log=log,
                download_s=self._download_s,
            )  # fmt: skip
        except TransferError as failure:
            error = str(failure)
        log.event("finished", ok=error is None, error=error)
        return goodput_bps


def in_packets(*payloads: bytes) -> Passage:
    """Return a connection on which the client sends these, each in a packet of its own and not too many at once."""

    def send(talk: Talk) -> None:
        for number, payload in enumerate(payloads, start=1):
            talk.send(payload)
            if number % _AT_ONCE == 0:
                talk.settle()

    return Passage(steps=(Take(sum(map(len, payloads))),), send=send)
