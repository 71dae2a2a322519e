"""The messages of one TLS session in order, to be replayed with their dependencies, and the bit-inverted control.

A message is a run of bytes in one direction; the next one, in the other direction, depends on all of it: that is the
inter-packet dependency that Xue et al. (IMC 2021, section 5) keep. What TCP makes of the bytes is left to each stack.
"""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from testbed.errors import RecordError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Message", "Recording"]

FORMAT = 1
_INVERT = bytes(255 - value for value in range(256))  # a table for bytes.translate: no loop over megabytes


class _Document(TypedDict):
    """A recording as JSON: each message as its direction and its payload in base 64."""

    format: int
    sni: str
    messages: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes in one direction, ``up`` (from the client) or ``down``."""

    direction: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """One session."""

    sni: str
    messages: tuple[Message, ...]

    @classmethod
    def of(cls, sni: str, pieces: list[Message]) -> Recording:
        """Join the neighbouring pieces of one direction, each run at once: a long transfer has tens of thousands."""
        runs = itertools.groupby(pieces, key=lambda piece: piece.direction)
        return cls(sni, tuple(Message(way, b"".join(piece.payload for piece in run)) for way, run in runs))

    def inverted(self) -> Recording:
        """Return the control: every payload byte bit-inverted."""
        return Recording(
            self.sni, tuple(Message(message.direction, message.payload.translate(_INVERT)) for message in self.messages)
        )

    def as_upload(self) -> Recording:
        """The upload-dominated variant: the same session up to the largest download, which the client sends instead.

        Xue et al. send the same image to a server of their own, preceded by a Twitter ClientHello.
        """
        largest = max(
            (index for index, message in enumerate(self.messages) if message.direction == "down"),
            key=lambda index: len(self.messages[index].payload),
        )
        before = list(self.messages[:largest])
        return Recording.of(self.sni, [*before, Message("up", self.messages[largest].payload)])

    def bytes_in(self, direction: str) -> int:
        """Return payload bytes in one direction."""
        return sum(len(message.payload) for message in self.messages if message.direction == direction)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        messages = [[each.direction, base64.b64encode(each.payload).decode()] for each in self.messages]
        path.write_text(json.dumps({"format": FORMAT, "sni": self.sni, "messages": messages}))

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read what ``save`` wrote.

        Raises:
            RecordError: The file is absent or no recording.
        """
        try:
            plain: _Document = json.loads(path.read_text())
            if plain["format"] != FORMAT:
                raise RecordError(f"{path}: recording format {plain['format']!r} is unknown (known: {FORMAT})")
            messages = tuple(
                Message(str(way), base64.b64decode(data, validate=True)) for way, data in plain["messages"]
            )
            return cls(str(plain["sni"]), messages)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path}: not a recording: {error}") from error
