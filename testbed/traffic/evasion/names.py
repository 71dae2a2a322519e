"""Hellos in one packet that differ in what name they show: the baseline, and what evades by having another name."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.middlebox.craft import inverted
from testbed.traffic.browser_hello import HELLOS, browser_hello
from testbed.traffic.conversation import Passage, Take
from testbed.traffic.hello import client_hello
from testbed.traffic.options import SERVER_NAME, choice, option

__all__ = ["EncryptedHello", "Inverted", "MixedCase", "NoName", "OtherName", "Plain", "TrailingDot", "in_one_packet"]

_INNOCUOUS = "example.org"


def in_one_packet(payload: bytes) -> Passage:
    """Return a connection on which the client sends one packet."""
    return Passage(steps=(Take(len(payload)),), send=lambda talk: talk.send(payload))


@dataclass(frozen=True, slots=True)
class Plain:
    """No evasion: the hello as browsers send it."""

    hello: str = option("2021", choice(*HELLOS), "whose it is")

    def passage(self, name: str) -> Passage:
        """Send the hello at once: in one packet, or in two where it is as long as those of today."""
        return in_one_packet(browser_hello(name, self.hello))


@dataclass(frozen=True, slots=True)
class Inverted:
    """Every bit of the payload turned over: the control of record and replay (IMC 2021, section 5)."""

    def passage(self, name: str) -> Passage:
        """Send the hello with every bit turned over."""
        return in_one_packet(inverted(client_hello(name)))


@dataclass(frozen=True, slots=True)
class NoName:
    """A hello without server_name."""

    def passage(self, name: str) -> Passage:
        """Send a hello without a name."""
        del name
        return in_one_packet(client_hello(None))


@dataclass(frozen=True, slots=True)
class OtherName:
    """A hello for an unrelated name: also what a box sees of an encrypted proxy."""

    other: str = option(_INNOCUOUS, SERVER_NAME, "the name in the hello")

    def passage(self, name: str) -> Passage:
        """Send a hello for the other name."""
        del name
        return in_one_packet(client_hello(self.other))


@dataclass(frozen=True, slots=True)
class TrailingDot:
    """The same name, fully qualified with a dot at its end (Censored Planet, 2021)."""

    def passage(self, name: str) -> Passage:
        """Send the hello for the name with a dot behind it."""
        return in_one_packet(client_hello(name + "."))


@dataclass(frozen=True, slots=True)
class MixedCase:
    """The same name with every other letter large: DNS names have no case (RFC 4343), and a box's pattern may."""

    def passage(self, name: str) -> Passage:
        """Send the hello for the name in mixed case."""
        mixed = "".join(each.upper() if at % 2 else each.lower() for at, each in enumerate(name))
        return in_one_packet(client_hello(mixed))


@dataclass(frozen=True, slots=True)
class EncryptedHello:
    """Encrypted ClientHello: an innocuous outer name, the true one out of sight."""

    outer: str = option(_INNOCUOUS, SERVER_NAME, "the outer name")

    def passage(self, name: str) -> Passage:
        """Send a hello whose readable name is the outer one."""
        del name
        return in_one_packet(client_hello(self.outer, hides_name=True))
