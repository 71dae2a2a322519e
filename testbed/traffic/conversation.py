"""A conversation between a client and the far end: who opens it, what each side does, in what order.

The far end is told its steps before the first packet, beside the network (`replay.announce_to`): no request crosses
the emulated wire, so a box sees nothing but what the client means it to see.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "HTTPS",
    "SMALL_WINDOW",
    "Bulk",
    "DatagramPassage",
    "Give",
    "Order",
    "Passage",
    "Step",
    "Take",
    "Talk",
    "object_pieces",
    "steps_from_json",
]

HTTPS = 443
SMALL_WINDOW = 8443  # the far end's listener there announces the smallest window that Linux has

_APPLICATION_DATA = b"\x17\x03\x03\x40\x00"
_NOTHING = bytes((7 * index + 0x80) % 256 for index in range(251))


@dataclass(frozen=True, slots=True)
class Take:
    """Receive so many payload bytes."""

    count: int


@dataclass(frozen=True, slots=True)
class Give:
    """Send these bytes."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Bulk:
    """Send so many bytes of an object."""

    count: int


Step = Take | Give | Bulk


@final
class Order(TypedDict):
    """What the far end is told of a conversation, as plain JSON.

    Keys:
        id: Of the transfer.
        steps: Each a verb and its object: ["take", bytes], ["give", payload in base 64], ["bulk", bytes].
        opens: Which end opens the connection (near: the client).
        protocol: Tcp or udp.
        timeout_s: For all of it.
    """

    id: str
    steps: list[list[str | int]]
    opens: str
    protocol: str
    timeout_s: float


class Talk(Protocol):
    """What a client can do on an open TCP connection."""

    def send(self, *payloads: bytes) -> None:
        """Send through the kernel's TCP, each payload in segments of its own."""

    def send_to_die(self, payload: bytes) -> None:
        """Send with time-to-live 1. The kernel believes it on its way, and sends it again if nobody answers."""

    def segment(
        self, payload: bytes = b"", *, flags: int = ..., ttl: int = ..., shift: int = 0, options: bytes = b""
    ) -> bytes:
        """Craft the connection's next segment, ``shift`` bytes off in sequence. The kernel knows nothing of it."""

    def emit(self, *datagrams: bytes) -> None:
        """Put crafted datagrams on the wire."""

    def receive(self, count: int) -> bytes:
        """Wait for so many bytes."""

    def settle(self) -> None:
        """Wait until all that was sent is acknowledged."""

    def wait(self, seconds: float) -> None:
        """Stay idle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """How a hello is brought past a box over TCP.

    Attributes:
        steps: What the far end does before it sends the object.
        send: What the client does once the connection is open.
        opens: Which end opens the connection; ``both``: at once (simultaneous open, RFC 9293, section 3.5).
        port: Of the far end.
        patience_s: How much longer than an ordinary conversation this takes.
    """

    steps: tuple[Step, ...]
    send: Callable[[Talk], None]
    opens: Literal["near", "far", "both"] = "near"
    port: int = HTTPS
    patience_s: float = 0.0

    def order(self, *, transfer: str, size: int, timeout_s: float) -> Order:
        """Return what the far end is told, as plain JSON."""
        return _order(transfer, (*self.steps, Bulk(size)), "tcp", self.opens, timeout_s + self.patience_s)


@dataclass(frozen=True, slots=True)
class DatagramPassage:
    """How a hello is brought past a box in UDP datagrams, which the far end takes before it sends the object.

    Attributes:
        datagrams: What the far end waits for, in order.
        decoys: What goes before them with a short life, so that it never arrives.
        decoy_ttl: Time-to-live of the decoys.
    """

    datagrams: tuple[bytes, ...]
    decoys: tuple[bytes, ...] = ()
    decoy_ttl: int = 1

    def order(self, *, transfer: str, size: int, timeout_s: float) -> Order:
        """Return what the far end is told, as plain JSON."""
        steps = (Take(sum(map(len, self.datagrams))), Bulk(size))
        return _order(transfer, steps, "udp", "near", timeout_s)


def _order(transfer: str, steps: tuple[Step, ...], protocol: str, opens: str, timeout_s: float) -> Order:
    return {
        "id": transfer,
        "steps": [_step_to_json(step) for step in steps],
        "opens": opens,
        "protocol": protocol,
        "timeout_s": timeout_s,
    }


def _step_to_json(step: Step) -> list[str | int]:
    match step:
        case Take(count):
            return ["take", count]
        case Give(payload):
            return ["give", base64.b64encode(payload).decode()]
        case Bulk(count):
            return ["bulk", count]


def steps_from_json(plain: list[list[str | int]]) -> list[Step]:
    """Return the steps of an order. Raises ValueError where one is none."""
    return [_step_from_json(step) for step in plain]


def _step_from_json(plain: list[str | int]) -> Step:
    match plain:
        case ["take", int(count)]:
            return Take(count)
        case ["give", str(text)]:
            return Give(base64.b64decode(text))
        case ["bulk", int(count)]:
            return Bulk(count)
    raise ValueError(f"{plain!r} is no step of a conversation")


def object_pieces(size: int, piece_bytes: int) -> Iterator[bytes]:
    """An object of ``size`` bytes in pieces: it begins as TLS application data does, the rest looks like nothing."""
    head = _APPLICATION_DATA
    for at in range(0, size, piece_bytes):
        yield (head + _NOTHING * (piece_bytes // len(_NOTHING) + 1))[: min(piece_bytes, size - at)]
        head = b""
