"""What a recogniser says about some bytes: a hello with its name, or one of three plain outcomes."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["Hello", "Outcome", "Result"]


class Outcome(Enum):
    """What a recogniser says when there is no hello to report."""

    NEED_MORE = "need more"  # the beginning fits; the rest is not here
    VALID = "valid"  # a whole unit of this protocol that is no readable hello
    NOT_THIS = "not this protocol"


class Hello(NamedTuple):
    """The message that names its destination, read to the end.

    ``name`` is None when it names nobody. ``offset`` and ``length`` say where the name stands in the bytes given
    (0, 0 without a name). ``extensions`` are the numbers of those of a ClientHello that can be walked to.
    """

    protocol: str
    name: str | None
    offset: int
    length: int
    extensions: frozenset[int] = frozenset()


Result = Hello | Outcome
