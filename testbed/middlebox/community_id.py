"""Community ID v1: one short name for a five-tuple, the same in both directions and in every tool that knows it.

Specification: https://github.com/corelight/community-id-spec. TCP and UDP only; seed 0, the specification's default.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha1
from struct import pack

__all__ = ["community_id"]


def community_id(protocol: int, address_a: bytes, port_a: int, address_b: bytes, port_b: int) -> str:
    """Return the Community ID of a flow; addresses are packed, and it does not matter which end is first."""
    # As numbers of one length, which packed addresses of one family are: the specification's order of the two ends.
    low, high = sorted(((address_a, port_a), (address_b, port_b)))
    seed = 0
    message = pack("!H", seed) + low[0] + high[0] + pack("!BBHH", protocol, 0, low[1], high[1])
    # The specification asks for SHA-1, as a short name and not as a secret.
    digest = sha1(message, usedforsecurity=False).digest()
    return "1:" + b2a_base64(digest, newline=False).decode("ascii")
