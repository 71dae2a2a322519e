"""A netlink socket: requests in, acknowledgements and dumps out. Knows nothing of what the messages mean."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

from testbed.errors import TestbedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 0x2, 0x3
SOL_NETLINK, NETLINK_EXT_ACK = 270, 11
NLMSGERR_ATTR_MSG = 1
NLM_F_ACK_TLVS, NLM_F_CAPPED = 0x200, 0x100

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE_BYTES = 1 << 17
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF


class NetlinkError(TestbedError):
    """The kernel refused a netlink request.

    Attributes:
        code: The errno that the kernel answered with.
    """

    def __init__(self, code: int, request: str, explanation: str) -> None:
        detail = f" ({explanation})" if explanation else ""
        super().__init__(f"the kernel refused to {request}: {os.strerror(code)}{detail}")
        self.code = code


def attribute(kind: int, value: bytes) -> bytes:
    """Return one netlink attribute, padded to four bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def attributes(data: bytes) -> dict[int, bytes]:
    """Return attributes by type; of several with one type, the last. Stops at the first that does not fit."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            break  # padding, or an answer that did not fit: a length of 0 would go on for ever
        found[kind & _TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


class Request:
    """One message to the kernel, with the words for its error.

    Args:
        kind: Message type, RTM_*.
        body: The fixed header and the attributes.
        flags: NLM_F_* on top of request and acknowledgement.
        what: Completes "the kernel refused to …".
    """

    __slots__ = ("body", "flags", "kind", "what")

    def __init__(self, kind: int, body: bytes, *, flags: int = 0, what: str) -> None:
        self.kind = kind
        self.body = body
        self.flags = flags
        self.what = what


class NetlinkSocket:
    """A socket in the network namespace that the calling thread was in when it was made.

    Args:
        protocol: NETLINK_*: whom in the kernel it speaks to.
    """

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    @property
    def raw(self) -> socket.socket:
        """The socket itself, for what the kernel says unasked."""
        return self._socket

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def tell(self, request: Request) -> None:
        """Send a request and wait for no answer."""
        self._socket.send(self._encode(request, 0))

    def send(self, requests: Iterable[Request], *, around: tuple[Request, Request] | None = None) -> None:
        """Send requests as one message and wait until the kernel has carried out each.

        Args:
            requests: What is wanted.
            around: What stands before and after them, and is not acknowledged: with it the kernel carries out all
                requests or none, where it knows such.

        Raises:
            NetlinkError: The kernel refused one; without ``around`` the ones after it were carried out all the same.
        """
        batch = list(requests)
        if not batch:
            return
        head = b"" if around is None else self._encode(around[0], 0)
        first = self._sequence + 1
        message = head + b"".join(self._encode(request, NLM_F_ACK) for request in batch)
        self._socket.send(message if around is None else message + self._encode(around[1], 0))
        failure: NetlinkError | None = None
        # Each request has its own acknowledgement. All of them are taken even after a failure: one that was left would
        # be the answer to the next request.
        answered = 0
        while answered < len(batch):
            for kind, flags, sequence, body in self._receive():
                if kind != NLMSG_ERROR:
                    continue
                answered += 1
                code = -struct.unpack_from("=i", body)[0]
                if around is not None and sequence < first:  # refused before any request was looked at: no more comes
                    raise NetlinkError(code, around[0].what, _explanation(flags, body))
                if code and failure is None:
                    failure = NetlinkError(code, batch[sequence - first].what, _explanation(flags, body))
        if failure is not None:
            raise failure

    def dump(self, kind: int, body: bytes, *, what: str) -> list[bytes]:
        """Ask for a list; return the bodies of its messages.

        Raises:
            NetlinkError: The kernel refused.
        """
        self._socket.send(self._encode(Request(kind, body, flags=NLM_F_DUMP, what=what), 0))
        bodies: list[bytes] = []
        while True:
            for answer, flags, _, content in self._receive():
                if answer == NLMSG_DONE:
                    return bodies
                if answer == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", content)[0]
                    raise NetlinkError(code or errno.EIO, what, _explanation(flags, content))
                bodies.append(content)

    def get(self, kind: int, body: bytes, *, what: str) -> bytes:
        """Ask for one object; return the body of the answer.

        Raises:
            NetlinkError: The kernel refused, or has no such object.
        """
        self._socket.send(self._encode(Request(kind, body, what=what), 0))
        answer, flags, _, content = next(self._receive())
        if answer == NLMSG_ERROR:
            code = -struct.unpack_from("=i", content)[0]
            raise NetlinkError(code or errno.EIO, what, _explanation(flags, content))
        return content

    def _encode(self, request: Request, flags: int) -> bytes:
        self._sequence += 1
        # The length leaves out the padding behind the message; the next one begins at a multiple of four (NLMSG_ALIGN).
        length = _HEADER.size + len(request.body)
        header = _HEADER.pack(length, request.kind, NLM_F_REQUEST | flags | request.flags, self._sequence, 0)
        return header + request.body + bytes(-length % 4)

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        data = self._socket.recv(_RECEIVE_BYTES)
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
            yield kind, flags, sequence, data[offset + _HEADER.size : offset + length]
            offset += (length + 3) & ~3


def _explanation(flags: int, body: bytes) -> str:
    """Return the kernel's own sentence in an extended acknowledgement, or nothing."""
    if not flags & NLM_F_ACK_TLVS:
        return ""
    # Behind the error code the kernel repeats the request, whole unless it says that it was cut to its header.
    echoed = struct.unpack_from("=I", body, 4)[0]
    start = 4 + (_HEADER.size if flags & NLM_F_CAPPED else (echoed + 3) & ~3)
    return attributes(body[start:]).get(NLMSGERR_ATTR_MSG, b"").rstrip(b"\0").decode("utf-8", "replace")
