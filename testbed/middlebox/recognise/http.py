"""The Host of a plain HTTP/1 request, which ISPs' own blockers look at. For requests to proxies see `http_proxy`."""

from __future__ import annotations

from testbed.middlebox.recognise.result import Hello, Outcome, Result

__all__ = ["recognise"]

_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ")
_LONGEST_METHOD = max(map(len, _METHODS))
_ANSWER = b"HTTP/1."
_HOST = b"\r\nhost:"


def recognise(payload: bytes) -> Result:
    """Say whether ``payload`` begins with an HTTP/1 request.

    Returns:
        `Hello` with the Host (None: the request has ended without one), port and white space removed; ``VALID`` for an
        answer; ``NEED_MORE`` until Host or the end of the request's head is there; else ``NOT_THIS``.
    """
    if payload.startswith(_ANSWER):
        return Outcome.VALID
    if not payload.startswith(_METHODS):
        short = payload[:_LONGEST_METHOD]
        fits = any(each.startswith(short) for each in (*_METHODS, _ANSWER))
        return Outcome.NEED_MORE if fits else Outcome.NOT_THIS
    head_end = payload.find(b"\r\n\r\n")
    head = payload if head_end < 0 else payload[: head_end + 2]
    at = head.lower().find(_HOST)
    line_end = head.find(b"\r\n", at + len(_HOST)) if at >= 0 else -1
    if line_end < 0:
        return Outcome.NEED_MORE if head_end < 0 else Hello("http", None, 0, 0)
    value = head[at + len(_HOST) : line_end]
    begin = at + len(_HOST) + len(value) - len(value.lstrip())
    host = value.strip()
    if not host.startswith(b"["):
        host = host.partition(b":")[0]
    return Hello("http", host.decode("latin-1"), begin, len(host)) if host else Hello("http", None, 0, 0)
