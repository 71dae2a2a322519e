"""A client that writes down what an evasion does, instead of doing it."""

from __future__ import annotations

from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.packet import ACK, PSH, Direction, Packet
from testbed.traffic.conversation import Passage, Talk

__all__ = ["RecordedTalk", "played"]

SEQUENCE = 1_000_000
ENDS = {"src": bytes([100, 64, 0, 1]), "dst": bytes([198, 51, 100, 5]), "sport": 20_000, "dport": 443}


class RecordedTalk(Talk):
    """What was done, in order: ``(verb, what)``."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []

    def send(self, *payloads: bytes) -> None:
        self.done += [("send", payload) for payload in payloads]

    def send_to_die(self, payload: bytes) -> None:
        self.done.append(("send to die", payload))

    def segment(
        self, payload: bytes = b"", *, flags: int = PSH | ACK, ttl: int = 64, shift: int = 0, options: bytes = b""
    ) -> bytes:
        numbers = {"seq": SEQUENCE + shift, "ack": 7, "flags": flags, "ttl": ttl}
        return tcp_segment(**ENDS, **numbers, payload=payload, options=options)  # type: ignore[arg-type]

    def emit(self, *datagrams: bytes) -> None:
        self.done += [("emit", Packet.parse(datagram, Direction.UP)) for datagram in datagrams]

    def receive(self, count: int) -> bytes:
        self.done.append(("receive", count))
        return bytes(count)

    def settle(self) -> None:
        self.done.append(("settle", None))

    def wait(self, seconds: float) -> None:
        self.done.append(("wait", seconds))

    def sent(self) -> list[bytes]:
        """Payloads that the kernel would have brought to the far end."""
        return [what for verb, what in self.done if verb in {"send", "send to die"} and isinstance(what, bytes)]

    def emitted(self) -> list[Packet]:
        """What was crafted."""
        return [what for verb, what in self.done if verb == "emit" and isinstance(what, Packet)]


def played(passage: Passage) -> RecordedTalk:
    """The client's part of a passage."""
    talk = RecordedTalk()
    passage.send(talk)
    return talk
