"""What a client (or a replaying server) saw of one transfer, as lines of measurements.jsonl.

Byte counts and TCP_INFO samples come as arrays of up to 64 samples a line, so that a long transfer costs few lines and
a run that dies keeps all but the last few; where somebody watches, lines are written sooner. Times are seconds since
the start of the run.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.records.jsonl import LineWriter

__all__ = ["FOR_EVER", "TransferLog"]

FOR_EVER = float("inf")
_SAMPLES_PER_LINE = 64  # lines of 1 to 6 kB: a run that is killed loses no more than the last of each kind


class TransferLog:
    """The log of one transfer at one end.

    Args:
        writer: The file.
        transfer: The transfer's id.
        side: ``client`` or ``server``.
        start_ns: The start of the run on the clock of ``time.time_ns``.
        patience_s: Byte counts are written when the first of them is so old, even if they are few.
    """

    def __init__(
        self, writer: LineWriter, *, transfer: str, side: str, start_ns: int, patience_s: float = FOR_EVER
    ) -> None:
        self._writer = writer
        self._patience_s = patience_s
        self._transfer = transfer
        self._side = side
        self._start_ns = start_ns
        self._bytes: list[tuple[float, int]] = []
        self._tcp_info: list[tuple[float, dict[str, int]]] = []

    def now(self) -> float:
        """Return seconds since the start of the run."""
        return (time.time_ns() - self._start_ns) / 1e9

    def event(self, event: str, **fields: object) -> None:
        """Write an event; the samples before it go first."""
        self.flush()  # a reader goes through the file once, and trusts its order
        self._write(event, self.now(), fields)

    def received(self, t: float, total_bytes: int) -> None:
        """Note how many payload bytes of the transfer have arrived by ``t``."""
        self._bytes.append((t, total_bytes))
        if len(self._bytes) >= _SAMPLES_PER_LINE or t - self._bytes[0][0] >= self._patience_s:
            self._flush_bytes()

    def tcp_info(self, t: float, sample: dict[str, int]) -> None:
        """Note a sample of TCP_INFO taken at ``t``."""
        self._tcp_info.append((t, sample))
        if len(self._tcp_info) >= _SAMPLES_PER_LINE:
            self._flush_tcp_info()

    def flush(self) -> None:
        """Write the samples noted so far."""
        self._flush_bytes()
        self._flush_tcp_info()

    def _flush_bytes(self) -> None:
        if self._bytes:
            times, totals = zip(*self._bytes, strict=True)
            self._bytes.clear()
            self._write("bytes", times[0], {"times": times, "totals": totals})

    def _flush_tcp_info(self) -> None:
        if self._tcp_info:
            times = [t for t, _ in self._tcp_info]
            fields = {name: [sample[name] for _, sample in self._tcp_info] for name in self._tcp_info[0][1]}
            self._tcp_info.clear()
            self._write("tcp_info", times[0], {"times": times, **fields})

    def _write(self, event: str, t: float, fields: Mapping[str, object]) -> None:
        self._writer.write({"t": t, "transfer": self._transfer, "side": self._side, "event": event, **fields})
