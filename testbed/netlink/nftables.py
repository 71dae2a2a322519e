"""Rules of nft, as much of them as a box needs, put into the kernel without nft: neither program nor library of it.

A rule is a list of expressions. Each loads something into a register or compares one, and the rule ends at the first
comparison that fails. nft itself shows these rules as it would its own (``nft list ruleset``).

Sources: include/uapi/linux/netfilter/{nf_tables,nfnetlink}.h; net/netfilter/nf_tables_api.c. Numbers are big-endian
there, but for what is in registers and is the kernel's own.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.netlink.socket import NLM_F_CREATE, NetlinkSocket, Request, attribute, nested

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "ETHER_IP", "ETHER_IP6", "IPV4_FRAGMENT_AT", "IPV4_PROTOCOL_AT", "NETLINK_NETFILTER", "Chain", "Expression",
    "accept", "exthdr_exists", "header", "header_bits", "load_rules", "mark", "meta", "queue", "set_mark",
]  # fmt: skip

NETLINK_NETFILTER = 12  # linux/netlink.h; Python's socket does not name it
ETHER_IP, ETHER_IP6 = b"\x08\x00", b"\x86\xdd"
IPV4_FRAGMENT_AT, IPV4_PROTOCOL_AT = 6, 9  # bytes from the beginning of the header (RFC 791, section 3.1)

_NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE, _DELETE_RULE = 0, 3, 6, 8
_NFPROTO_BRIDGE, _HOOK_FORWARD, _ACCEPT = 7, 2, 1
_APPEND = 0x800  # NLM_F_APPEND
_HEADER = struct.Struct(">BBH")  # nfgenmsg

_TABLE_NAME = 1
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER, _HOOK_PRIORITY = 1, 2
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_LIST_ELEMENT, _EXPRESSION_NAME, _EXPRESSION_DATA = 1, 1, 2
_DATA_VALUE, _DATA_VERDICT, _VERDICT_CODE = 1, 2, 1
_REGISTER_VERDICT, _REGISTER = 0, 1
_EQUAL, _UNEQUAL = 0, 1
_NETWORK_HEADER = 1
_META_KEYS = {"protocol": 1, "mark": 3, "iifname": 6, "l4proto": 16}
_NAME_BYTES = 16  # IFNAMSIZ
_PRESENT = 1  # NFT_EXTHDR_F_PRESENT

Expression = bytes
"""One step of a rule."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of its own in a table of its own, which sees what a bridge forwards; what no rule takes is accepted."""

    table: str
    name: str


def meta(key: str, value: bytes) -> list[Expression]:
    """Go on if what the kernel knows of a packet has a value: ``protocol``, ``mark``, ``iifname`` or ``l4proto``."""
    load = _expression("meta", attribute(1, _u32(_REGISTER)), attribute(2, _u32(_META_KEYS[key])))
    return [load, _compare(_EQUAL, value.ljust(_NAME_BYTES, b"\0") if key == "iifname" else value)]


def mark(value: int) -> bytes:
    """Return a packet's mark as it stands in a register."""
    return struct.pack("=I", value)


def header(at: int, value: bytes) -> list[Expression]:
    """Go on if a packet's network header has these bytes there."""
    return [_payload(at, len(value)), _compare(_EQUAL, value)]


def header_bits(at: int, mask: bytes) -> list[Expression]:
    """Go on if one of these bits is set in a packet's network header."""
    nothing = bytes(len(mask))
    both = [nested(4, attribute(_DATA_VALUE, mask)), nested(5, attribute(_DATA_VALUE, nothing))]
    registers = [attribute(1, _u32(_REGISTER)), attribute(2, _u32(_REGISTER)), attribute(3, _u32(len(mask)))]
    return [_payload(at, len(mask)), _expression("bitwise", *registers, *both), _compare(_UNEQUAL, nothing)]


def exthdr_exists(kind: int) -> list[Expression]:
    """Go on if a packet of IPv6 has an extension header of a kind."""
    what = [attribute(2, struct.pack("=B", kind)), attribute(3, _u32(0)), attribute(4, _u32(1))]
    load = _expression("exthdr", attribute(1, _u32(_REGISTER)), *what, attribute(5, _u32(_PRESENT)))
    return [load, _compare(_EQUAL, b"\1")]


def set_mark(value: int) -> list[Expression]:
    """Mark a packet."""
    into = [attribute(2, _u32(_META_KEYS["mark"])), attribute(3, _u32(_REGISTER))]
    return [_immediate(_REGISTER, attribute(_DATA_VALUE, mark(value))), _expression("meta", *into)]


def accept() -> list[Expression]:
    """Let a packet go on."""
    return [_immediate(_REGISTER_VERDICT, nested(_DATA_VERDICT, attribute(_VERDICT_CODE, _u32(_ACCEPT))))]


def queue(number: int) -> list[Expression]:
    """Hand a packet to user space."""
    words = enumerate((number, 1, 0), start=1)  # the first queue, how many there are, flags
    return [_expression("queue", *(attribute(kind, struct.pack(">H", word)) for kind, word in words))]


def load_rules(chain: Chain, rules: Iterable[Sequence[Expression]], *, replacing: bool = False) -> None:
    """Put rules into the kernel, in the network namespace of the caller: all of them, or none.

    Args:
        chain: Made with them, unless they replace others.
        rules: In their order.
        replacing: What was there goes at the same instant. The chain stays: with its hook, the kernel would drop the
            packets that wait for their verdict (nf_queue_nf_hook_drop).

    Raises:
        NetlinkError: The kernel refused one.
    """
    first = [_flush(chain)] if replacing else [_new_table(chain), _new_chain(chain)]
    kernel = NetlinkSocket(NETLINK_NETFILTER)
    try:
        kernel.send([*first, *(_new_rule(chain, rule) for rule in rules)], around=_BATCH)
    finally:
        kernel.close()


def _request(kind: int, *attributes: bytes, flags: int = 0, what: str) -> Request:
    body = _HEADER.pack(_NFPROTO_BRIDGE, 0, 0) + b"".join(attributes)
    return Request(_NFTABLES << 8 | kind, body, flags=flags, what=what)


_BATCH = (
    Request(_BATCH_BEGIN, _HEADER.pack(socket.AF_UNSPEC, 0, _NFTABLES), what="begin a batch of rules"),
    Request(_BATCH_END, _HEADER.pack(socket.AF_UNSPEC, 0, _NFTABLES), what="end a batch of rules"),
)


def _new_table(chain: Chain) -> Request:
    name = attribute(_TABLE_NAME, _text(chain.table))
    return _request(_NEW_TABLE, name, flags=NLM_F_CREATE, what=f"make the table {chain.table}")


def _new_chain(chain: Chain) -> Request:
    hook = nested(_CHAIN_HOOK, attribute(_HOOK_NUMBER, _u32(_HOOK_FORWARD)), attribute(_HOOK_PRIORITY, _u32(0)))
    return _request(
        _NEW_CHAIN,
        attribute(_CHAIN_TABLE, _text(chain.table)),
        attribute(_CHAIN_NAME, _text(chain.name)),
        hook,
        attribute(_CHAIN_POLICY, _u32(_ACCEPT)),
        attribute(_CHAIN_TYPE, _text("filter")),
        flags=NLM_F_CREATE,
        what=f"make the chain {chain.name}",
    )


def _flush(chain: Chain) -> Request:
    where = [attribute(_RULE_TABLE, _text(chain.table)), attribute(_RULE_CHAIN, _text(chain.name))]
    return _request(_DELETE_RULE, *where, what=f"empty the chain {chain.name}")


def _new_rule(chain: Chain, rule: Sequence[Expression]) -> Request:
    where = [attribute(_RULE_TABLE, _text(chain.table)), attribute(_RULE_CHAIN, _text(chain.name))]
    steps = nested(_RULE_EXPRESSIONS, *(nested(_LIST_ELEMENT, step) for step in rule))
    return _request(_NEW_RULE, *where, steps, flags=NLM_F_CREATE | _APPEND, what=f"add a rule to {chain.name}")


def _expression(name: str, *attributes: bytes) -> Expression:
    return attribute(_EXPRESSION_NAME, _text(name)) + nested(_EXPRESSION_DATA, *attributes)


def _compare(how: int, value: bytes) -> Expression:
    data = nested(3, attribute(_DATA_VALUE, value))
    return _expression("cmp", attribute(1, _u32(_REGISTER)), attribute(2, _u32(how)), data)


def _payload(at: int, length: int) -> Expression:
    words = enumerate((_REGISTER, _NETWORK_HEADER, at, length), start=1)
    return _expression("payload", *(attribute(kind, _u32(word)) for kind, word in words))


def _immediate(register: int, data: bytes) -> Expression:
    return _expression("immediate", attribute(1, _u32(register)), nested(2, data))


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _u32(value: int) -> bytes:
    return struct.pack(">I", value)
