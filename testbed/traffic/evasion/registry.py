"""Every evasion by the name that a scenario calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from testbed.traffic.evasion.fake import FakeHello, FakeRandom, WrongChecksum, WrongSequence
from testbed.traffic.evasion.from_outside import FromOutside
from testbed.traffic.evasion.idle import Idle
from testbed.traffic.evasion.injected import InjectedFin, InjectedReset
from testbed.traffic.evasion.ip_fragments import IpFragments
from testbed.traffic.evasion.names import EncryptedHello, Inverted, NoName, OtherName, Plain, TrailingDot
from testbed.traffic.evasion.padding import Padding
from testbed.traffic.evasion.proxies import HttpProxy, Socks
from testbed.traffic.evasion.quic import Quic
from testbed.traffic.evasion.record_first import RecordFirst
from testbed.traffic.evasion.server_hello import ServerHello
from testbed.traffic.evasion.small_window import SmallWindow
from testbed.traffic.evasion.split_handshake import SplitHandshake
from testbed.traffic.evasion.tcp_reverse import TcpReverse
from testbed.traffic.evasion.tcp_split import TcpSplit
from testbed.traffic.evasion.tls_split import TlsSplit

if TYPE_CHECKING:
    from dataclasses import Field

    from testbed.traffic.conversation import DatagramPassage, Passage

__all__ = ["EVASIONS", "Evasion"]


class Evasion(Protocol):
    """One way past the box: a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    def passage(self, name: str) -> Passage | DatagramPassage:
        """Return how a hello for a name is brought past."""


EVASIONS: dict[str, type[Evasion]] = {
    "plain": Plain,
    "inverted": Inverted,
    "no-name": NoName,
    "other-name": OtherName,
    "trailing-dot": TrailingDot,
    "encrypted-hello": EncryptedHello,
    "tcp-split": TcpSplit,
    "tcp-reverse": TcpReverse,
    "small-window": SmallWindow,
    "padding": Padding,
    "tls-split": TlsSplit,
    "record-first": RecordFirst,
    "fake-hello": FakeHello,
    "fake-random": FakeRandom,
    "wrong-checksum": WrongChecksum,
    "wrong-sequence": WrongSequence,
    "idle": Idle,
    "injected-rst": InjectedReset,
    "injected-fin": InjectedFin,
    "http-proxy": HttpProxy,
    "socks": Socks,
    "server-hello": ServerHello,
    "from-outside": FromOutside,
    "ip-fragments": IpFragments,
    "split-handshake": SplitHandshake,
    "quic": Quic,
}
