"""Address prefixes, compared as integers: many times faster than `ipaddress` does it, for packed addresses."""

from __future__ import annotations

from ipaddress import ip_network

__all__ = ["Prefix"]


class Prefix:
    """An IPv4 or IPv6 prefix such as 10.0.0.0/8; a bare address is a prefix too.

    Raises:
        ValueError: The text is no prefix.
    """

    __slots__ = ("_address_length", "_shift", "_value")

    def __init__(self, text: str) -> None:
        network = ip_network(text)
        # An IPv4 prefix must not match the beginning of an IPv6 address of the same bits.
        self._address_length = network.max_prefixlen // 8
        self._shift = network.max_prefixlen - network.prefixlen
        self._value = int(network.network_address) >> self._shift

    def __contains__(self, packed: bytes) -> bool:
        """Whether a packed address has this prefix."""
        return len(packed) == self._address_length and int.from_bytes(packed, "big") >> self._shift == self._value
