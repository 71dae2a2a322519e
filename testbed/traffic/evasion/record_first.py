"""Another TLS record before the hello, in the same packet (IMC 2021, section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.craft import CHANGE_CIPHER_SPEC
from testbed.traffic.evasion.names import in_one_packet
from testbed.traffic.hello import client_hello
from testbed.traffic.options import choice, option

if TYPE_CHECKING:
    from testbed.traffic.conversation import Passage

__all__ = ["RecordFirst"]

_RECORDS = {
    "change_cipher_spec": CHANGE_CIPHER_SPEC,
    "alert": bytes.fromhex("1503030002015a"),  # a warning, user_canceled
    "application_data": bytes.fromhex("1703030010") + bytes(16),
}


@dataclass(frozen=True, slots=True)
class RecordFirst:
    """Servers that allow it are rare; boxes that look for it were none."""

    record: str = option("change_cipher_spec", choice(*_RECORDS), "what comes first")

    def passage(self, name: str) -> Passage:
        """Send the other record and the hello in one packet."""
        return in_one_packet(_RECORDS[self.record] + client_hello(name))
