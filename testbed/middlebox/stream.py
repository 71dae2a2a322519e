"""One direction of a TCP connection put together: bytes in order, whatever the order and overlap of the segments.

Bounded: what lies beyond the limit is not kept. Where segments overlap, the first copy counts.
"""

from __future__ import annotations

__all__ = ["Stream"]

_SEQUENCE_SPACE = 1 << 32
_HALF = 1 << 31


class Stream:
    """The bytes since `start`, as far as they are here without a gap."""

    __slots__ = ("_base", "_later", "_limit", "data")

    def __init__(self, limit: int) -> None:
        """Nothing yet; keep at most ``limit`` bytes."""
        self._limit = limit
        self._base: int | None = None
        self._later: dict[int, bytes] = {}  # by offset from the base
        self.data = b""

    def start(self, seq: int) -> None:
        """The first byte will have this sequence number (a SYN says so). Later calls change nothing."""
        if self._base is None:
            self._base = seq % _SEQUENCE_SPACE

    def add(self, seq: int, payload: bytes) -> None:
        """Take a segment. Without a known start, the first one begins the stream."""
        self.start(seq)
        # Sequence numbers go round: of two, the later is the one that is less than half of them ahead.
        offset = (seq - (self._base or 0) + _HALF) % _SEQUENCE_SPACE - _HALF
        if offset < 0:
            # Sent again, perhaps with more behind it: what is here already is not written over.
            payload, offset = payload[-offset:], 0
        payload = payload[: max(0, self._limit - offset)]
        # Of two copies at one place the longer, which holds the other; a shorter one must not make a gap.
        if len(payload) > len(self._later.get(offset, b"")):
            self._later[offset] = payload
        self._advance()

    def restart(self) -> None:
        """Forget what is here; go on with the byte after it."""
        size = len(self.data)
        self._base = ((self._base or 0) + size) % _SEQUENCE_SPACE
        self._later = {offset - size: piece for offset, piece in self._later.items()}
        self.data = b""
        self._advance()

    def _advance(self) -> None:
        """Move what has become contiguous to ``data``."""
        for offset in sorted(self._later):
            if offset > len(self.data):
                return
            piece = self._later.pop(offset)
            self.data += piece[len(self.data) - offset :]
