"""Every evasion by the name that a scenario calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from testbed.traffic.listed import Listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import Field

    from testbed.traffic.conversation import DatagramPassage, Passage

__all__ = ["EVASIONS", "Evasion"]


class Evasion(Protocol):
    """One way past the box: a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    def passage(self, name: str) -> Passage | DatagramPassage:
        """Return how a hello for a name is brought past."""


EVASIONS: Mapping[str, type[Evasion]] = Listed(
    "testbed.traffic.evasion",
    {
        "plain": "names:Plain",
        "inverted": "names:Inverted",
        "no-name": "names:NoName",
        "other-name": "names:OtherName",
        "trailing-dot": "names:TrailingDot",
        "mixed-case": "names:MixedCase",
        "encrypted-hello": "names:EncryptedHello",
        "tcp-split": "tcp_split:TcpSplit",
        "tcp-reverse": "tcp_reverse:TcpReverse",
        "small-window": "small_window:SmallWindow",
        "padding": "padding:Padding",
        "tls-split": "tls_split:TlsSplit",
        "record-first": "record_first:RecordFirst",
        "fake-hello": "fake:FakeHello",
        "fake-random": "fake:FakeRandom",
        "wrong-checksum": "fake:WrongChecksum",
        "wrong-sequence": "fake:WrongSequence",
        "md5-option": "fake:Md5Option",
        "idle": "idle:Idle",
        "injected-rst": "injected:InjectedReset",
        "injected-fin": "injected:InjectedFin",
        "http-proxy": "proxies:HttpProxy",
        "socks": "proxies:Socks",
        "server-hello": "server_hello:ServerHello",
        "from-outside": "from_outside:FromOutside",
        "ip-fragments": "ip_fragments:IpFragments",
        "split-handshake": "split_handshake:SplitHandshake",
        "quic": "quic:Quic",
        "fake-quic": "fake_quic:FakeQuic",
    },
)
