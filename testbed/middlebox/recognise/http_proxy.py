"""HTTP as spoken with a proxy: CONNECT, requests with an absolute URL, and the proxy's answers.

The boxes of 2021 went on inspecting after such packets (X21 §6.2), so that a hello sent through a plain proxy was still
found. Plain requests to an origin server are not meant: nothing was published about them.
"""

from __future__ import annotations

from testbed.middlebox.recognise.result import Hello, Outcome, Result

__all__ = ["recognise"]

_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"TRACE ", b"PATCH ")
_CONNECT = b"CONNECT "
_ANSWER = b"HTTP/1."
_STARTS = (_CONNECT, _ANSWER, *_METHODS)
_LONGEST_START = max(map(len, _STARTS))
_SCHEMES = (b"http://", b"https://", b"ftp://")


def recognise(payload: bytes) -> Result:
    """Say whether ``payload`` begins with HTTP as spoken with a proxy.

    Returns:
        `Hello` with the host that CONNECT or an absolute URL names; ``VALID`` for a proxy's answer;
        ``NEED_MORE`` if it may become one of these; ``NOT_THIS`` for everything else.
    """
    start = next((start for start in _STARTS if payload.startswith(start)), None)
    if start is None:
        short = payload[:_LONGEST_START]
        return Outcome.NEED_MORE if any(each.startswith(short) for each in _STARTS) else Outcome.NOT_THIS
    if start is _ANSWER:
        return Outcome.VALID
    line_end = payload.find(b"\r\n")
    target_end = payload.find(b" ", len(start))
    if line_end < 0 or not 0 <= target_end < line_end:
        return Outcome.NEED_MORE if line_end < 0 else Outcome.NOT_THIS
    if start is _CONNECT:
        return _host(payload, len(start), target_end)
    for scheme in _SCHEMES:
        if payload.startswith(scheme, len(start)):
            begin = len(start) + len(scheme)
            slash = payload.find(b"/", begin, target_end)
            return _host(payload, begin, target_end if slash < 0 else slash)
    return Outcome.NOT_THIS


def _host(payload: bytes, begin: int, end: int) -> Result:
    """Return the host in the authority at [begin, end), without user and port."""
    begin = max(begin, payload.rfind(b"@", begin, end) + 1)
    if payload[begin : begin + 1] == b"[":
        bracket = payload.find(b"]", begin, end)
        begin, end = begin + 1, bracket if bracket >= 0 else end
    else:
        colon = payload.rfind(b":", begin, end)
        end = colon if colon >= 0 else end
    if end <= begin:
        return Outcome.NOT_THIS
    return Hello("http_proxy", payload[begin:end].decode("latin-1"), begin, end - begin)
